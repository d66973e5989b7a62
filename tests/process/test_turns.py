"""A process that reads small files one after the other says of each what one that reads it alone
says, whatever the others are and do."""

from __future__ import annotations

import io
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.files import native
from gradflow.files.hdf5 import open_with_library
from gradflow.files.saved_model.schema import parse
from gradflow.findings import Status
from gradflow.findings.wire import encode
from gradflow.options import Options
from gradflow.process import fork_client, fork_start, parent
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import Outcome, inspect_path, scan_path
from gradflow.process.request import Purpose, Request, request_about
from gradflow.process.spawn import Child, Spawn
from tests.cli.command import SAMPLES
from tests.examples import examples
from tests.process import neighbours

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere each child is a new interpreter"
)
STATIC = Options(static=True)


def packed(path: Path, method: int, change: Callable[[str, bytes], bytes] | None = None) -> None:
    """Write a sample as another archive."""
    with (
        zipfile.ZipFile(SAMPLES / "two_towers.keras") as sample,
        zipfile.ZipFile(path, "w", method) as archive,
    ):
        for name in sample.namelist():
            content = sample.read(name)
            archive.writestr(name, content if change is None else change(name, content))


def compressed_weights(name: str, content: bytes) -> bytes:
    """HDF5 of a form that takes the library."""
    if not name.endswith(".h5"):
        return content
    import h5py

    with h5py.File(io.BytesIO(content)) as old, h5py.File(new := io.BytesIO(), "w") as copy:
        for key in old:
            old.copy(key, copy)
        copy.create_dataset("packed", data=[0.0] * 100, compression="gzip")
    return new.getvalue()


def foreign_class(name: str, content: bytes) -> bytes:
    return content.replace(b'"module": "keras.layers"', b'"module": "os.path"')


def not_finite(name: str, content: bytes) -> bytes:
    return content.replace(b'"units": ', b'"units": 1e999, "x": ') if "config" in name else content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of all kinds, and those that stand for a fault of the process."""
    made = tmp_path_factory.mktemp("turns")
    for name in ("healthy", "finetune", "argmax", "two_towers"):
        shutil.copy(SAMPLES / f"{name}.keras", made)
    shutil.copy(SAMPLES / "argmax.h5", made / "hdf5.keras")
    whole = (SAMPLES / "healthy.keras").read_bytes()
    (made / "cut.keras").write_bytes(whole[: len(whole) // 2])
    (made / "empty.keras").write_bytes(b"")
    (made / "text.keras").write_text("no model")
    packed(made / "deflated.keras", zipfile.ZIP_DEFLATED)
    packed(made / "lzma.keras", zipfile.ZIP_LZMA)
    packed(made / "library.keras", zipfile.ZIP_STORED, compressed_weights)
    packed(made / "foreign.keras", zipfile.ZIP_STORED, foreign_class)
    packed(made / "infinite.keras", zipfile.ZIP_STORED, not_finite)
    for name in neighbours.DOES:
        shutil.copy(SAMPLES / "healthy.keras", made / f"{name}.keras")
    return made


@pytest.fixture(scope="module")
def servers() -> Iterator[ForkServers]:
    with pytest.MonkeyPatch.context() as patch, ForkServers() as made:
        patch.setattr(fork_start, "_BOOT", neighbours.BOOT)
        patch.setattr(parent, "_GRACE", 0.2)
        yield made


def ask(path: Path, spawn: Spawn, how: str) -> Outcome:
    options = replace(STATIC, map=True)
    if path.stem == "hangs":
        options = replace(options, timeout=0.1)
    return (scan_path if how == "scan" else inspect_path)(str(path), options, spawn=spawn)


def alone(servers: ForkServers) -> Spawn:
    def spawn(request: Request, *others: Any) -> Any:
        return servers(replace(request, may_share=False), *others)

    return spawn


@pytest.mark.parametrize("how", ["scan", "static"])
def test_in_any_order_each_file_has_the_report_that_it_has_alone(
    how: str, folder: Path, servers: ForkServers
) -> None:
    paths = sorted(folder.iterdir())
    with ThreadPoolExecutor(3) as pool:
        own = pool.map(partial(ask, spawn=alone(servers), how=how), paths)
        reports = dict(zip(paths, own, strict=True))
    assert {report.model.status for report in reports.values()} == {*Status}

    @settings(max_examples=examples(2))
    @given(st.permutations(paths), st.sampled_from([3, 1]))
    def in_order(order: list[Path], jobs: int) -> None:
        with ThreadPoolExecutor(jobs) as pool:
            answers = list(pool.map(partial(ask, spawn=servers, how=how), order))
        for path, answer in zip(order, answers, strict=True):
            assert encode(answer) == encode(reports[path]), path.name

    in_order()


class Watched:
    """Starts children, and keeps which process answered, and whether alone."""

    def __init__(self, servers: ForkServers) -> None:
        self._servers = servers
        self.seen: list[tuple[int | None, bool]] = []

    @contextmanager
    def __call__(
        self, request: Request, log: IO[bytes], environment: Mapping[str, str]
    ) -> Iterator[Child]:
        with self._servers(request, log, environment) as child:
            yield child
            self.seen.append((child.process, not child.turn))


def test_a_process_has_a_few_turns(folder: Path) -> None:
    turns = fork_client._TURNS
    with ForkServers() as servers:
        watched = Watched(servers)
        for _ in range(2 * turns):
            assert ask(folder / "healthy.keras", watched, "static").model.error is None

    processes = [process for process, _ in watched.seen]
    assert not any(is_alone for _, is_alone in watched.seen)
    assert processes == [processes[0]] * turns + [processes[-1]] * turns
    assert processes[0] != processes[-1]


@pytest.mark.parametrize("name", ["library", "lzma", "cut", "foreign"])
def test_what_is_no_whole_report_is_said_by_a_process_of_its_own(name: str, folder: Path) -> None:
    with ForkServers() as servers:
        watched = Watched(servers)
        for file in ("healthy", name, "healthy"):
            ask(folder / f"{file}.keras", watched, "scan")

    [(first, _), (second, _), (third, is_alone), (last, _)] = watched.seen
    assert (first, first, is_alone) == (second, last, True)
    assert first != third


@pytest.mark.parametrize("name", ["aborts", "hangs", "babbles", "twice", "floods"])
def test_a_process_that_is_in_doubt_has_no_turn_more(
    name: str, folder: Path, servers: ForkServers
) -> None:
    watched = Watched(servers)
    for file in ("healthy", name, "healthy", "finetune"):
        ask(folder / f"{file}.keras", watched, "static")
    (before, _), *_, (after, is_alone) = watched.seen
    assert before != after
    assert not is_alone


def test_no_native_parser_is_used_where_files_take_turns(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "_held_back", [])
    native.hold_back()

    for use in (partial(open_with_library, folder / "hdf5.keras"), partial(parse, "GraphDef", b"")):
        with pytest.raises(native.HeldBackError):
            use()


def test_only_small_files_that_are_read_take_turns(folder: Path, tmp_path: Path) -> None:
    small, large, pipe = folder / "healthy.keras", tmp_path / "a.keras", tmp_path / "b.keras"
    large.write_bytes(bytes(1_000_001))
    os.mkfifo(pipe)
    saved, h5 = SAMPLES / "healthy_saved_model", SAMPLES / "healthy.h5"

    def may(path: Path, purpose: Purpose = Purpose.STATIC, **options: Any) -> bool:
        return request_about(purpose, str(path), "x", replace(STATIC, **options)).may_share

    assert may(small)
    assert may(small, Purpose.SCAN)
    assert not any(map(may, (large, pipe, saved, h5, tmp_path / "none.keras", tmp_path)))
    assert not any(
        may(small, purpose) for purpose in Purpose if purpose not in (Purpose.STATIC, Purpose.SCAN)
    )
    assert not may(small, imports=("strange",))
    assert not may(small, verbose=True)


def test_the_limits_are_those_of_each_file(folder: Path, servers: ForkServers) -> None:
    def with_limit(memory: int | None) -> Outcome:
        options = replace(STATIC, memory_limit=memory)
        return inspect_path(str(folder / "maps.keras"), options, spawn=servers)

    for _ in range(2):
        assert with_limit(None).model.error is None
        error = with_limit(10**8).model.error
        assert error is not None
        assert "needs more memory than its limit of 0.1 GB" in error.message
