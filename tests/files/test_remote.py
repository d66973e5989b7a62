"""Models at remote addresses: ``memory://`` stands for a store, and what its client can do wrong is
done by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradflow.files import remote
from gradflow.options import Options
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import inspect_path, scan_path

fsspec = pytest.importorskip("fsspec", reason="the extra gradflow-tf[remote] is not installed")

SAMPLES = Path(__file__).parents[2] / "sample_models"
STATIC = Options(static=True)


@pytest.fixture
def store() -> Iterator[Any]:
    """A store with a SavedModel and a Keras file in its bucket, that keeps count of what is
    fetched."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    for name in ("argmax_saved_model", "argmax.keras", "argmax.h5"):
        system.put(str(SAMPLES / name), f"/bucket/{name}", recursive=True)
    yield system
    system.store.clear()


@pytest.fixture
def fetched(store: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    get = type(store).get_file

    def noted(self: Any, path: str, *more: Any, **options: Any) -> Any:
        names.append(path.rpartition("/")[2])
        return get(self, path, *more, **options)

    monkeypatch.setattr(type(store), "get_file", noted)
    return names


def failure(address: str, **options: Any) -> tuple[str, str]:
    error = inspect_path(address, Options(static=True, **options)).model.error
    assert error is not None
    assert error.code == "GF901"
    assert "\n" not in error.message + error.hint
    return error.message, error.hint


@pytest.mark.parametrize("name", ["argmax_saved_model", "argmax.keras", "argmax.h5"])
def test_the_report_is_that_of_the_file_with_the_address_as_its_path(store: Any, name: str) -> None:
    there = inspect_path(f"memory://bucket/{name}", STATIC).model
    here = inspect_path(str(SAMPLES / name), STATIC).model
    assert there.path == f"memory://bucket/{name}"
    assert there.variables == here.variables
    assert there.findings == here.findings


def test_static_fetches_the_graph_of_a_saved_model_and_no_variables(
    store: Any, fetched: list[str]
) -> None:
    store.pipe("/bucket/argmax_saved_model/assets/words.txt", b"x" * 1000)
    assert inspect_path("memory://bucket/argmax_saved_model/", STATIC).model.error is None
    assert fetched == ["saved_model.pb"]


@pytest.mark.tensorflow
def test_a_step_fetches_all_of_it(store: Any) -> None:
    model = inspect_path("memory://bucket/argmax_saved_model", Options()).model
    assert model.error is None
    assert model.path == "memory://bucket/argmax_saved_model"
    assert (model.summary.none, model.mode.value) == (2, "tape")


@pytest.mark.parametrize("name", ["argmax_saved_model", "argmax.keras", "argmax.h5"])
def test_a_scan_is_that_of_the_file(store: Any, name: str) -> None:
    there, here = (
        scan_path(f"memory://bucket/{name}", Options()).model,
        scan_path(str(SAMPLES / name), Options()).model,
    )

    assert there == replace(here, path=f"memory://bucket/{name}")
    assert there.looked_at


def test_what_a_scan_finds_is_told_of_the_address(store: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        archive.writestr("../x", b"")
        for member in ("config.json", "metadata.json"):
            archive.writestr(member, zipfile.ZipFile(SAMPLES / "argmax.keras").read(member))
    store.put(str(tmp_path / "x.keras"), "/bucket/x.keras")

    model = scan_path("memory://bucket/x.keras", Options()).model

    assert model.error is not None
    assert (model.path, model.error.code) == ("memory://bucket/x.keras", "GF902")
    assert model.findings[0].message.startswith("member '../x' (the archive): ")


def test_messages_speak_of_the_address(store: Any) -> None:
    message, hint = failure("memory://bucket")
    assert "argmax_saved_model" in message
    assert hint == "give memory://bucket/argmax_saved_model"
    store.pipe("/bucket/empty.keras", b"")
    assert failure("memory://bucket/empty.keras")[0] == "is empty (0 bytes)"
    assert "no such file" in failure("memory://bucket/other")[0]


def test_nothing_is_left_behind(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ForkServers() as servers:  # a process that waits for its next turn keeps its folder
        for name in ("argmax.keras", "other"):
            inspect_path(f"memory://bucket/{name}", STATIC, spawn=servers)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    message, hint = failure("gs://bucket/model")
    assert "not installed" in message
    assert hint == "pip install 'gradflow-tf[remote]'"


def test_an_unknown_kind_of_address_is_said() -> None:
    assert "unknown kind" in failure("foo://bucket/model")[0]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            PermissionError("Forbidden: no credentials\nTraceback"),
            "PermissionError: Forbidden: no credentials",
        ),
        (OSError("Cannot connect to host"), "OSError: Cannot connect to host"),
        (RuntimeError(""), "RuntimeError: no reason given"),
    ],
)
def test_a_store_that_refuses_is_one_line(
    store: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(type(store), "info", refuse)
    message, hint = failure("memory://bucket/argmax.keras")
    assert message == f"cannot be fetched: {words}"
    assert "credentials" in hint


def test_a_store_that_does_not_answer_is_given_up(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(store), "info", lambda *_, **__: time.sleep(30))
    began = time.monotonic()
    assert "gave no answer" in failure("memory://bucket/argmax.keras", timeout=0.5)[0]
    assert time.monotonic() - began < 5


def test_a_host_that_is_not_reached_is_not_taken_for_a_missing_file(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("https://host/x") from ConnectionRefusedError(
            "Cannot connect to host"
        )

    monkeypatch.setattr(type(store), "info", refuse)
    assert (
        "ConnectionRefusedError: Cannot connect to host"
        in failure("memory://bucket/argmax.keras")[0]
    )


def test_names_that_leave_the_folder_are_not_fetched(store: Any, fetched: list[str]) -> None:
    source = remote._safe(
        [("../outside", "a"), ("saved_model.pb", "b"), ("variables/../../x", "c"), ("", "d")]
    )
    assert list(source) == [("saved_model.pb", "b")]


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
def test_ctrl_c_while_fetching_leaves_nothing_behind(tmp_path: Path) -> None:
    slow = """
import sys, time, fsspec
from fsspec.implementations.memory import MemoryFileSystem
class Slow(MemoryFileSystem):
    protocol = "memory"
    def info(self, path, **_):
        return {"name": path, "type": "file", "size": 1}
    def get_file(self, path, place, **_):
        open(place, "wb").close()
        print("fetching", flush=True)
        time.sleep(60)
fsspec.register_implementation("memory", Slow, clobber=True)
from gradflow.cli import main
sys.argv = ["gradflow", "inspect", "--static", "memory://bucket/model.keras"]
main()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", slow],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "fetching\n"
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    [
        "reference://x::memory://bucket/argmax.keras",
        "memory://bucket/argmax.keras::https://host/x",
        "file:///etc/passwd",
        "local:///etc/passwd",
        "ftp://host/model.keras",
        "zip://a.keras::memory://bucket/x.zip",
    ],
)
def test_only_the_kinds_of_addresses_that_are_documented_are_followed(
    address: str, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_opened", lambda _: pytest.fail("followed"))

    assert failure(address)[0] == "is an address of an unknown kind"


def test_more_than_there_is_room_for_is_not_fetched(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_MOST_FETCHED", 1000)

    message, hint = failure("memory://bucket/argmax.keras")

    assert message.startswith("it is larger than 0 MB")
    assert hint == "download it yourself, and give the path"


@pytest.mark.parametrize(
    ("status", "words"),
    [(500, "the server answers 500"), (404, "no such"), (0, "cannot be fetched: AnswerError")],
)
def test_an_answer_of_a_server_is_not_taken_for_a_missing_file(
    status: int, words: str, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AnswerError(Exception):
        def __init__(self) -> None:
            self.status = status

    def refuse(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("https://host/x") from AnswerError()

    monkeypatch.setattr(type(store), "info", refuse)

    assert words in failure("memory://bucket/argmax.keras")[0]


def test_a_way_that_a_client_does_not_go_is_not_taken_for_a_missing_file(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server can point to file:///etc/passwd; aiohttp (3.12) does not go there."""
    astray = type("NonHttpUrlRedirectClientError", (ValueError,), {})
    astray.__module__ = "aiohttp.client_exceptions"

    def refuse(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("https://host/x") from astray("file:///etc/passwd")

    monkeypatch.setattr(type(store), "info", refuse)

    assert (
        "NonHttpUrlRedirectClientError: file:///etc/passwd"
        in (failure("memory://bucket/argmax.keras")[0])
    )
