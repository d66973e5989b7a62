"""The same audit on a Dask cluster gives the same report, whatever happens to its workers."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradflow.audit import cluster as module
from gradflow.audit.cluster import Cluster
from gradflow.audit.plain_pickles import NotRead, plain
from gradflow.errors import UsageError
from gradflow.findings.wire import encode
from gradflow.options import Options
from gradflow.process.parent import inspect_path
from tests.cli.command import SAMPLES, here, process

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(sys.platform == "win32", reason="the workers are ended by signals"),
]
STATIC = Options(static=True)


_CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    """The address of a scheduler with two workers: none of them is this process, which reads
    pickles as the command does."""
    with process(code=_CLUSTER, stdin=subprocess.PIPE, stderr=None) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip()
        running.communicate(timeout=60)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "audit.yaml"
    path.write_text(
        f"version: 1\nmodels:\n  - {{path: {SAMPLES}/*_saved_model, static: true}}\n"
        f"  - {{path: {SAMPLES}/healthy.keras, name: healthy}}\n  - path: missing.keras\n"
    )
    return str(path)


@pytest.mark.parametrize("ship", [[], ["--ship"]])
def test_the_report_is_the_same(ship: list[str], local: str, config: str) -> None:
    there = here(
        "audit",
        config,
        "--no-cache",
        "-q",
        "--format",
        "json",
        "--scheduler",
        local,
        *ship,
    )

    assert there.code == 2, there
    assert there.stdout == here("audit", config, "--no-cache", "-q", "--format", "json").stdout


def test_paths_are_shown_as_they_were_given(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES)
    for ship in (False, True):
        with Cluster(local, ship=ship) as cluster:
            for path in ("healthy_saved_model", "argmax.keras", "missing"):
                assert cluster.inspect(path, STATIC, lambda _: None) == inspect_path(path, STATIC)


def test_a_worker_that_dies_loses_nothing(
    local: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker is killed while it runs a model; another one, or its successor, runs it again."""
    monkeypatch.chdir(tmp_path)
    path = str(SAMPLES / "healthy_saved_model")
    with Cluster(local, ship=False) as cluster:
        found: list[object] = []
        thread = threading.Thread(
            target=lambda: found.append(cluster.inspect(path, Options(), lambda _: None))
        )
        thread.start()
        busy: list[str] = []
        while thread.is_alive() and not busy:
            time.sleep(0.02)
            busy = [address for address, tasks in cluster._client.processing().items() if tasks]
        for process in cluster._client.run(os.getpid, workers=busy).values():
            os.kill(process, signal.SIGKILL)
        thread.join(timeout=120)

    assert busy
    assert found == [inspect_path(path, Options())]


class _Harmful:
    """Leaves a file where it is read from a pickle, named by the process that has read it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return _leave_mark, (self.folder,)


class _HarmfulError(Exception):
    def __reduce__(self) -> tuple[Any, ...]:
        return _leave_mark, self.args


def _leave_mark(folder: str) -> Exception:
    (Path(folder) / str(os.getpid())).touch()
    return ValueError("read")


def _returned(path: str, location: str, options: str, content: object) -> object:
    return _Harmful(str(Path(location).parent))


def _raised(path: str, location: str, options: str, content: object) -> object:
    raise _HarmfulError(str(Path(location).parent))


def _warned(path: str, location: str, options: str, content: object) -> object:
    from distributed.worker import get_worker

    harmful = _Harmful(str(Path(location).parent))
    get_worker().log_event(["all", "warn"], {"message": pickle.dumps(harmful), "category": b""})
    return harmful


def _forged(path: str, location: str, options: str, content: object) -> object:
    outcome = inspect_path(str(SAMPLES / "argmax.keras"), STATIC)
    forged = replace(outcome, model=replace(outcome.model, path="another.keras"))
    return json.dumps({"outcome": encode(forged)})


def _garbled(path: str, location: str, options: str, content: object) -> object:
    return json.dumps({"outcome": [1, 2]})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_returned, "the cluster did not finish it"),
        (_raised, "the cluster did not finish it"),
        (_warned, "the cluster did not finish it"),
        (_forged, "a worker sent what cannot be read"),
        (_garbled, "a worker sent what cannot be read"),
    ],
)
def test_a_worker_runs_nothing_here(
    answer: Callable[..., object],
    words: str,
    local: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_on_worker", answer)
    path = str(tmp_path / "m.keras")

    with Cluster(local, ship=False) as cluster:
        outcome = cluster.inspect(path, STATIC, lambda _: None)

    assert outcome.model.error is not None
    assert outcome.model.error.message == words
    assert not (tmp_path / str(os.getpid())).exists()


def test_what_goes_wrong_on_a_worker_is_told(
    local: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "encode", lambda _: "no options")
    with Cluster(local, ship=False) as cluster:
        outcome = cluster.inspect("m.keras", STATIC, lambda _: None)

    assert outcome.model.error is not None
    assert outcome.model.error.message.startswith("a worker failed: TypeError: ")


def test_plain_data_is_read_and_nothing_else(tmp_path: Path) -> None:
    data = {"a": [1, 2.5, None, "x", b"y", True]}
    assert plain(pickle.dumps(data)) == data
    for value in (_Harmful(str(tmp_path)), [_Harmful(str(tmp_path))], len, str):
        assert isinstance(plain(pickle.dumps(value)), NotRead)
    assert isinstance(plain(b"\x80"), NotRead)
    assert list(tmp_path.iterdir()) == []


def test_pickles_are_read_as_before_at_the_end(local: str) -> None:
    import distributed.client
    import distributed.protocol.pickle

    with Cluster(local, ship=False):
        assert isinstance(distributed.protocol.pickle.loads(pickle.dumps(len)), NotRead)
    assert distributed.protocol.pickle.loads(pickle.dumps(len)) is len
    assert distributed.client.pickle is pickle


def test_nobody_there_is_one_line(monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 1)

    line = here("audit", config, "--scheduler", "tcp://127.0.0.1:1").stderr.splitlines()[-1]

    assert "--scheduler tcp://127.0.0.1:1: no scheduler answers there" in line


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(UsageError) as refusal:
        Cluster("tcp://127.0.0.1:1", ship=False)

    assert "gradflow-tf[dask]" in refusal.value.hint
