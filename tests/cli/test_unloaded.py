"""A file that TensorFlow cannot load is read as far as it goes, and the report says why no step was
run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import inspect

pytestmark = pytest.mark.tensorflow


@pytest.fixture(params=["model.keras", "model.h5"])
def foreign_model(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A file with a class that no Keras has."""
    import keras

    class Doubled(keras.layers.Layer):
        def call(self, value):
            return value * 2

    x = keras.Input((4,))
    frozen = keras.layers.Dense(3, name="frozen", trainable=False)(x)
    path = tmp_path / str(request.param)
    keras.Model(x, keras.layers.Dense(2, name="head")(Doubled()(frozen))).save(path)
    return str(path)


def test_what_is_not_loaded_is_read_and_says_why(foreign_model: str) -> None:
    done = inspect("-q", "--format", "json", foreign_model)
    assert done.code == 0, done
    report = json.loads(done.stdout)["models"][0]
    assert (report["mode"], report["status"], report["error"]) == ("static", "analyzed", None)
    assert {variable["name"]: variable["frozen_by"] for variable in report["variables"]} == {
        "frozen/kernel": "frozen",
        "frozen/bias": "frozen",
        "head/kernel": None,
        "head/bias": None,
    }
    assert {variable["name"]: variable["verdict"] for variable in report["variables"]} == {
        "frozen/kernel": "unknown",  # behind the class that nobody knows
        "frozen/bias": "unknown",
        "head/kernel": "flows",
        "head/bias": "flows",
    }
    found = [finding for finding in report["findings"] if finding["code"] == "GF901"]
    assert [finding["severity"] for finding in found] == ["warning"]
    assert "'Doubled', which Keras does not have" in found[0]["message"]
    assert foreign_model not in found[0]["message"]
    # Nothing is to be left out that was not given.
    assert "--static" not in done.stdout


def test_it_is_no_good_model_to_whoever_asks_for_one(foreign_model: str) -> None:
    done = inspect("-q", "--fail-on", "warning", foreign_model)
    assert done.code == 1
    assert "warning GF901: not run, read from the file alone:" in done.stdout


def test_a_layer_that_loads_another_file_is_refused(tmp_path: Path) -> None:
    import keras

    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    inner.export(tmp_path / "inner", verbose=False)
    x = keras.Input((3,))
    loaded = keras.layers.TFSMLayer(str(tmp_path / "inner"), call_endpoint="serve")(x)
    keras.Model(x, keras.layers.Dense(2)(loaded)).save(tmp_path / "model.keras")

    line = inspect("-q", str(tmp_path / "model.keras")).failed_in_one_line()

    assert (
        "(GF902): not loaded: class TFSMLayer of keras.layers (layer 'tfsm_layer' of config.json): "
        "loads any" in line
    )
    assert "--trust" in line
