"""Files of every kind of Keras 3 model: no option is needed, the tape agrees, the file alone knows
the variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.findings import ModelReport, Role
from tests.agreement.compare import compare_with_tape
from tests.agreement.subject import report_on_file
from tests.agreement.test_real_models import specs_of_report

pytestmark = pytest.mark.tensorflow

NAMES = (
    "sequential_without_an_input named_inputs_and_outputs shared_and_nested "
    "trained_with_moving_averages scaled_loss "
    "quantized low_rank stateful preprocessed with_a_constant subclassed"
).split()
CUT = {"subclassed": 2}
"""How many weights get no gradient; none in the others."""


def made(name: str) -> Any:
    import keras

    from tests.models.keras_kinds import KINDS

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    return KINDS[name]()


SLOWLY = pytest.mark.slow
"""The same once more in the older format."""


@pytest.mark.parametrize("kind", ["keras", pytest.param("h5", marks=SLOWLY)])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_needs_no_option(name: str, kind: str, tmp_path: Path) -> None:
    from tests.models.oracle import make_batch, measure_file

    if (name, kind) == ("subclassed", "h5"):
        pytest.skip("Keras does not restore subclasses from HDF5")
    path = tmp_path / f"model.{kind}"
    made(name).save(path)
    report = report_on_file(path)
    assert isinstance(report, ModelReport), report
    assert report.mode.value == "tape", report.findings
    specs = specs_of_report(report)
    if name == "subclassed":
        score = compare_with_tape(
            report, lambda seed: _measure_pair(path, make_batch(specs, seed), seed)
        )
    else:
        score = compare_with_tape(report, lambda seed: measure_file(path, specs, seed=seed))
    assert score.complaints == []
    assert score.agreed == score.weights > 0
    assert report.summary.none == CUT.get(name, 0)


def _measure_pair(path: Path, batch: Any, seed: int) -> Any:
    import keras

    from tests.models.oracle import step

    keras.backend.clear_session()
    model = keras.models.load_model(path, compile=False)
    a, b = batch.values()
    variables = [(variable.path, variable.value) for variable in model.variables]
    return step(lambda: model({"a": a, "b": b}, training=True), variables, seed)


@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "trained_with_moving_averages" else SLOWLY)
        for name in NAMES
        # A file neither says which variables of a class of one's own are not trained, nor holds the
        # factors of LoRA.
        if name not in ("subclassed", "with_a_constant", "low_rank")
    ],
)
def test_the_file_alone_knows_the_same_variables(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{kind}"
    made(name).save(path)
    static = gradflow.inspect(path, static=True).models[0]
    loaded = report_on_file(path)
    assert isinstance(loaded, ModelReport)
    weights = [
        sorted(
            (one.name, one.shape, one.trainable)
            for one in report.variables
            if one.role is Role.WEIGHT
        )
        for report in (static, loaded)
    ]
    assert weights[0] == weights[1]


def test_operations_that_hdf5_does_not_keep_are_named(tmp_path: Path) -> None:
    import keras

    keras.backend.clear_session()
    ids = keras.Input([5], dtype="int32")
    words = keras.layers.LSTM(3)(keras.layers.Embedding(9, 4, mask_zero=True)(ids))
    keras.Model(ids, keras.ops.tanh(words)).save(tmp_path / "model.h5")
    report = report_on_file(tmp_path / "model.h5")
    assert isinstance(report, ModelReport)
    if report.mode.value == "tape":
        pytest.skip("this Keras restores operations from HDF5")
    (finding,) = (one for one in report.findings if one.code == "GF901")
    assert "of keras.ops, which Keras does not restore from this format" in finding.message
    assert finding.hint == "save the model as model.keras, which keeps such operations"


def test_both_arguments_of_a_call_can_be_given() -> None:
    model = made("called_with_two_arguments")
    report = gradflow.inspect(model).models[0]
    assert report.error is not None
    assert "is called with x, y, but only the shape of x is recorded" in report.error.message
    assert report.error.hint == ('give each: inputs={"x": "float32[4,16]", "y": "float32[4,16]"}')
    report = gradflow.inspect(model, inputs={"x": "float32[4,4]", "y": "float32[4,5]"}).models[0]
    verdicts = {variable.name: variable.verdict.value for variable in report.variables}
    assert list(verdicts.values()) == ["flows", "flows", "none", "none"], verdicts


def test_a_file_that_keras_loads_without_its_weights_is_read_statically(tmp_path: Path) -> None:
    made("called_with_two_arguments").save(tmp_path / "model.keras")
    report = report_on_file(tmp_path / "model.keras")
    assert isinstance(report, ModelReport)
    assert (report.mode.value, report.summary.unknown) == ("static", 4)
    assert "Keras loads it without its weights" in report.findings[0].message
