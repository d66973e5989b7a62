"""``why`` after ``inspect`` answers from what is kept, and with the same bytes as a run would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import SAMPLES, Done, here

QUESTIONS = [
    ("two_towers.keras", "document_hidden/kernel"),
    ("argmax_saved_model", "router/bias"),
    ("argmax_saved_model", "head/kernel"),
    ("healthy_saved_model", "head/kernel"),
]


def why(model: str, variable: str, *options: str) -> Done:
    return here("why", str(SAMPLES / model), variable, *options)


@pytest.fixture(scope="module")
def unloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that Keras writes and cannot load: it holds an operation of keras.ops."""
    import keras

    inputs = keras.Input((4,), name="features")
    hidden = keras.layers.Dense(4, name="hidden")(inputs)
    outputs = keras.layers.Dense(1, name="head")(keras.ops.stop_gradient(hidden))
    path = tmp_path_factory.mktemp("unloaded") / "model.h5"
    keras.Model(inputs, outputs).save(path)
    return path


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.tensorflow
@pytest.mark.parametrize(("model", "variable"), QUESTIONS)
def test_the_same_answer_from_what_inspect_has_kept(
    model: str, variable: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers_from_what_is_kept(SAMPLES / model, variable, kept, monkeypatch)


@pytest.mark.tensorflow
@pytest.mark.parametrize("variable", ["hidden/kernel", "head/kernel"])
def test_the_same_answer_of_a_file_that_was_read_since_it_does_not_load(
    variable: str, unloaded: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "not run, read from the file alone" in here("inspect", str(unloaded)).stdout

    answers_from_what_is_kept(unloaded, variable, kept, monkeypatch)


def answers_from_what_is_kept(
    model: Path, variable: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = ("--format", "json"), ("--format", "text")
    fresh = [here("why", str(model), variable, *options, "--no-cache") for options in both]
    assert here("inspect", str(model)).code == 0
    results = sorted(kept.rglob("*.json"))

    def none_is_run(*_: object, **__: object) -> None:
        raise AssertionError("it was run")

    monkeypatch.setattr("gradflow.audit.run.inspect_path", none_is_run)

    assert [here("why", str(model), variable, *options) for options in both] == fresh
    assert sorted(kept.rglob("*.json")) == results


@pytest.mark.tensorflow
def test_a_name_that_there_is_not_is_told_by_a_run(kept: Path) -> None:
    here("inspect", str(SAMPLES / "two_towers.keras"))

    done = why("two_towers.keras", "document_hiden/kernel")

    assert done.code == 2
    assert "document_hidden/kernel" in done.stdout
