"""``why`` after ``inspect`` answers from what is kept, and with the same bytes as a run would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import SAMPLES, Done, here

QUESTIONS = [
    ("two_towers.keras", "document_hidden/kernel"),
    ("argmax_saved_model", "router/bias"),
]


def why(model: str, variable: str, *options: str) -> Done:
    return here("why", str(SAMPLES / model), variable, *options)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.tensorflow
@pytest.mark.parametrize(("model", "variable"), QUESTIONS)
def test_the_same_answer_from_what_inspect_has_kept(
    model: str, variable: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = ("--format", "json"), ("--format", "text")
    fresh = [why(model, variable, *options, "--no-cache") for options in both]
    assert here("inspect", str(SAMPLES / model)).code == 0
    results = sorted(kept.rglob("*.json"))

    def none_is_run(*_: object, **__: object) -> None:
        raise AssertionError("it was run")

    monkeypatch.setattr("gradflow.audit.run.inspect_path", none_is_run)

    assert [why(model, variable, *options) for options in both] == fresh
    assert sorted(kept.rglob("*.json")) == results


@pytest.mark.tensorflow
def test_a_name_that_there_is_not_is_told_by_a_run(kept: Path) -> None:
    here("inspect", str(SAMPLES / "two_towers.keras"))

    done = why("two_towers.keras", "document_hiden/kernel")

    assert done.code == 2
    assert "document_hidden/kernel" in done.stdout
