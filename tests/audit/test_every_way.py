"""A model's report is the same, byte for byte, however it was asked for."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import gradflow
from gradflow.process import fork_client
from tests.cli.command import SAMPLES, environment, here, process

NAMES = ("argmax.keras", "finetune.h5", "two_towers_saved_model", "missing.keras")
MODELS = [str(SAMPLES / name) for name in NAMES]
WITH_TAPE: tuple[str, ...] = ()
WAYS = [
    pytest.param(WITH_TAPE, marks=pytest.mark.tensorflow, id="tape"),
    pytest.param(("--static",), id="static"),
]


def models_of(report: str) -> list[str]:
    """The bytes of each model, as they stand in a JSON report."""
    models: list[dict[str, Any]] = json.loads(report)["models"]
    assert report.endswith("\n")
    return [json.dumps(model) for model in models]


def reported(*arguments: str) -> list[str]:
    return models_of(here(*arguments, "-q", "--format", "json").stdout)


@pytest.fixture(scope="module", params=WAYS)
def options(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param  # type: ignore[no-any-return]  # of WAYS


@pytest.fixture(scope="module")
def alone(options: tuple[str, ...]) -> list[str]:
    """Each by a command, and an interpreter, of its own."""
    return [model for path in MODELS for model in reported("inspect", path, "--no-cache", *options)]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_at_once_and_from_the_cache_as_one_by_one(
    alone: list[str], options: tuple[str, ...], own_cache: Path
) -> None:
    together = reported("inspect", *MODELS, "--jobs", "2", *options)
    kept = sorted(own_cache.rglob("*.json"))

    assert together == alone
    assert len(kept) == len(MODELS) - 1  # what is missing can be there the next time
    assert reported("inspect", *MODELS, *options) == alone
    assert [model for path in MODELS for model in reported("inspect", path, *options)] == alone
    assert sorted(own_cache.rglob("*.json")) == kept


def test_one_job_and_no_copies_of_a_warm_process(
    alone: list[str], options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reported("inspect", *MODELS, "--jobs", "1", "--no-cache", *options) == alone

    monkeypatch.setattr(fork_client, "sys", SimpleNamespace(platform="one that copies nothing"))

    # Of each format, tests/process/test_fork_client.py holds a copy against an interpreter.
    assert reported("inspect", MODELS[0], "--no-cache", *options) == alone[:1]


def test_what_audit_and_check_judge_is_the_same(
    alone: list[str], options: tuple[str, ...], own_cache: Path
) -> None:
    audited = reported("audit", *MODELS, *options)
    kept = {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.json")}

    assert as_inspected(audited) == as_inspected(alone)
    assert reported("check", *MODELS, "--jobs", "1", *options) == audited
    assert reported("inspect", *MODELS, *options) == alone
    assert {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.json")} == kept


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_each_look_of_watch_is_the_report(alone: list[str], options: tuple[str, ...]) -> None:
    *models, _missing = MODELS  # which it would wait for
    arguments = ("inspect", "--watch", "--no-cache", "--format", "json", *models, *options)
    with process(*arguments, env=environment(PYTHONUNBUFFERED="1")) as running:
        assert running.stderr is not None
        while "watching" not in (line := running.stderr.readline()):
            assert line, "it has ended"
        running.send_signal(signal.SIGINT)
        report, _ = running.communicate(timeout=60)

    assert models_of(report) == alone[:-1]


def test_python_reads_a_folder_as_the_command(options: tuple[str, ...], tmp_path: Path) -> None:
    for name in NAMES[:2]:
        shutil.copy(SAMPLES / name, tmp_path)

    report = gradflow.inspect(tmp_path, static="--static" in options)

    # Python draws the map too, for the page of a notebook: the graph then confirms the verdicts.
    with_map = (
        json.loads(model) for model in reported("inspect", str(tmp_path), "--map", *options)
    )
    drawn = [json.dumps({**model, "map": None}) for model in with_map]
    assert models_of(report.to_json() + "\n") == drawn


def as_inspected(models: list[str]) -> list[str]:
    """Without what is expected of the models."""
    return [json.dumps(_as_inspected(json.loads(model))) for model in models]


def _as_inspected(model: dict[str, Any]) -> dict[str, Any]:
    """Without what is expected of the model."""
    findings = [entry for entry in model["findings"] if not entry["code"].startswith("GF4")]
    return {**model, "findings": findings, "expectations": []}
