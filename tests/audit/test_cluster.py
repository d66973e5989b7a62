"""The same audit on a Dask cluster gives the same report, whatever happens to its workers."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradflow.audit import cluster as module
from gradflow.audit.cluster import Cluster
from gradflow.errors import UsageError
from gradflow.options import Options
from gradflow.process.parent import inspect_path
from tests.cli.command import SAMPLES, here

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(sys.platform == "win32", reason="the workers are ended by signals"),
]
STATIC = Options(static=True)


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as found:
        yield found


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "audit.yaml"
    path.write_text(
        f"version: 1\nmodels:\n  - {{path: {SAMPLES}/*_saved_model, static: true}}\n"
        f"  - {{path: {SAMPLES}/healthy.keras, name: healthy}}\n  - path: missing.keras\n"
    )
    return str(path)


@pytest.mark.parametrize("ship", [[], ["--ship"]])
def test_the_report_is_the_same(ship: list[str], local: Any, config: str) -> None:
    there = here(
        "audit",
        config,
        "--no-cache",
        "-q",
        "--format",
        "json",
        "--scheduler",
        local.scheduler_address,
        *ship,
    )

    assert there.code == 2, there
    assert there.stdout == here("audit", config, "--no-cache", "-q", "--format", "json").stdout


def test_paths_are_shown_as_they_were_given(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES)
    for ship in (False, True):
        with Cluster(local.scheduler_address, ship=ship) as cluster:
            for path in ("healthy_saved_model", "argmax.keras", "missing"):
                assert cluster.inspect(path, STATIC, lambda _: None) == inspect_path(path, STATIC)


def test_a_worker_that_dies_loses_nothing(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker is killed while it runs a model; another one, or its successor, runs it again."""
    monkeypatch.chdir(tmp_path)
    path = str(SAMPLES / "healthy_saved_model")
    with Cluster(local.scheduler_address, ship=False) as cluster:
        found: list[object] = []
        thread = threading.Thread(
            target=lambda: found.append(cluster.inspect(path, Options(), lambda _: None))
        )
        thread.start()
        busy: list[str] = []
        while thread.is_alive() and not busy:
            time.sleep(0.02)
            busy = [address for address, tasks in cluster._client.processing().items() if tasks]
        cluster._client.run(_die, workers=busy, on_error="ignore")
        thread.join(timeout=120)

    assert busy
    assert found == [inspect_path(path, Options())]


def _die() -> None:
    import os

    os.kill(os.getpid(), 9)


def test_nobody_there_is_one_line(monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 1)

    line = here("audit", config, "--scheduler", "tcp://127.0.0.1:1").stderr.splitlines()[-1]

    assert "--scheduler tcp://127.0.0.1:1: no scheduler answers there" in line


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(UsageError) as refusal:
        Cluster("tcp://127.0.0.1:1", ship=False)

    assert "gradflow-tf[dask]" in refusal.value.hint
