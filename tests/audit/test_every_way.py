"""A model's report is the same, byte for byte, however it was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gradflow
from tests.cli.command import SAMPLES, here

pytestmark = pytest.mark.tensorflow
NAMES = ("argmax.keras", "finetune.h5", "two_towers_saved_model", "missing.keras")
MODELS = [str(SAMPLES / name) for name in NAMES]


def reported(*arguments: str) -> list[dict[str, Any]]:
    done = here(*arguments, "-q", "--format", "json")
    return json.loads(done.stdout)["models"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def alone() -> list[dict[str, Any]]:
    return [model for path in MODELS for model in reported("inspect", path, "--no-cache")]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_at_once_and_from_the_cache_as_one_by_one(alone: object, own_cache: Path) -> None:
    together = reported("inspect", *MODELS, "--jobs", "2")
    kept = sorted(own_cache.rglob("*.json"))

    assert together == alone
    assert len(kept) == len(MODELS) - 1  # what is missing can be there the next time
    assert reported("inspect", *MODELS) == alone
    assert [model for path in MODELS for model in reported("inspect", path)] == alone
    assert sorted(own_cache.rglob("*.json")) == kept


def test_what_audit_and_check_judge_is_the_same(
    alone: list[dict[str, Any]], own_cache: Path
) -> None:
    audited = reported("audit", *MODELS)
    kept = {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.json")}

    assert [as_inspected(model) for model in audited] == [as_inspected(model) for model in alone]
    assert reported("check", *MODELS, "--jobs", "1") == audited
    assert reported("inspect", *MODELS) == alone
    assert {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.json")} == kept


def test_python_reads_a_folder_as_the_command(tmp_path: Path) -> None:
    for name in NAMES[:2]:
        (tmp_path / name).write_bytes((SAMPLES / name).read_bytes())

    report = gradflow.inspect(tmp_path)

    # Python draws the map too, for the page of a notebook: the graph then confirms the verdicts.
    drawn = [{**model, "map": None} for model in reported("inspect", str(tmp_path), "--map")]
    assert json.loads(report.to_json())["models"] == drawn


def as_inspected(model: dict[str, Any]) -> dict[str, Any]:
    """Without what is expected of the model."""
    findings = [entry for entry in model["findings"] if not entry["code"].startswith("GF4")]
    return {**model, "findings": findings, "expectations": []}
