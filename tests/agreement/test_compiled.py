"""``--objective compiled``: the gradient of the loss that a model was compiled with, held against a
bare tape's."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.errors import UsageError
from gradflow.findings import ModelReport, Role, Status
from gradflow.options import Objective, Options
from tests.agreement.compare import compare_with_tape
from tests.agreement.subject import analysed

pytestmark = pytest.mark.tensorflow

NAMES = (
    "squared sparse categorical divergence binary poisson logarithmic_error focal rounding "
    "of_ids own_logarithm "
    "list_of_losses output_without_a_loss loss_of_no_weight dict_of_losses "
    "dict_for_a_list_of_outputs own_objective "
    "added_loss_alone regularized_behind_a_cut half_precision tokens speech"
).split()


QUICK = frozenset({"sparse", "dict_for_a_list_of_outputs", "own_logarithm"})
NOT_IN_HDF5 = frozenset({("own_objective", "h5"), ("regularized_behind_a_cut", "h5")})
"""Keras restores neither subclasses nor operations from HDF5."""


def made(name: str) -> Any:
    import keras

    from tests.models.compiled_models import COMPILED

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    return COMPILED[name]()


def file_report(path: Path, imports: tuple[str, ...] = ()) -> ModelReport:
    """Analyse a file in this process."""
    import keras

    keras.backend.clear_session()
    return analysed(path, Options(objective=Objective.COMPILED, imports=imports)).report


def none_of(report: ModelReport) -> list[str]:
    return sorted(
        one.name
        for one in report.variables
        if one.role is Role.WEIGHT and one.verdict.value == "none"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_of_a_model_in_memory(name: str) -> None:
    from tests.models.oracle import measure_loss

    case = made(name)
    report = gradflow.inspect(case.model, objective="compiled").models[0]
    assert report.status is Status.ANALYZED, report.error
    assert report.entry == "call(training=True)"
    assert str(report.objective).startswith("compiled: ")
    assert report.outputs
    assert all(output.shape for output in report.outputs)  # those of the model, and not the loss
    score = compare_with_tape(report, lambda seed: measure_loss(case.model, case.targets, seed))
    assert score.complaints == []
    assert score.agreed == score.weights > 0
    assert none_of(report) == sorted(case.none)
    causes = {cause.code for variable in report.variables for cause in variable.causes}
    assert "GF209" not in causes


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(name, kind, marks=[] if name in QUICK else pytest.mark.slow)
        for name in NAMES
        for kind in ("keras", "h5")
        if (name, kind) not in NOT_IN_HDF5
    ],
)
def test_the_loss_of_a_file_is_that_of_the_model(name: str, kind: str, tmp_path: Path) -> None:
    case = made(name)
    case.model.save(tmp_path / f"model.{kind}")
    report = file_report(tmp_path / f"model.{kind}", ("tests.models.compiled_models",))
    assert report.mode.value == "tape", report.findings
    assert none_of(report) == sorted(case.none)
    metrics = {id(variable) for variable in case.model.metrics_variables}
    variables = [variable.path for variable in case.model.variables if id(variable) not in metrics]
    assert len(report.variables) == len(variables)  # neither optimizer nor metrics are among them


def test_a_cut_inside_the_loss_is_the_cause_with_its_line() -> None:
    report = gradflow.inspect(made("rounding").model, objective="compiled").models[0]
    (finding,) = (one for one in report.findings if one.code == "GF202")
    assert finding.cause is not None
    assert finding.cause.op_type == "Round"
    assert str(finding.cause.source).startswith("compiled_models.py:")
    assert len(finding.variables) == 4
    outputs = gradflow.inspect(made("rounding").model, objective="outputs").models[0]
    assert outputs.summary.flows == 4


def test_an_output_without_a_loss_is_told_so() -> None:
    report = gradflow.inspect(made("output_without_a_loss").model, objective="compiled").models[0]
    (finding,) = (one for one in report.findings if one.code == "GF206")
    assert finding.message == "no path to the loss: the compiled loss does not cover output size"
    assert "give the output that it leads to a loss" in finding.hint


def test_a_loss_weight_of_zero_is_told_so() -> None:
    report = gradflow.inspect(made("loss_of_no_weight").model, objective="compiled").models[0]
    (finding,) = report.findings
    assert finding.variables == ("size/kernel", "size/bias")
    assert finding.message.endswith(
        "which multiplies by zero: loss_weights gives this loss the weight 0"
    )
    assert "other than 0 in compile()" in finding.hint


def test_a_model_in_memory_keeps_its_metrics_and_weights() -> None:
    import numpy as np

    case = made("list_of_losses")
    case.model.fit(np.ones([4, 5]), case.targets, verbose=0)
    before = [variable.numpy().tolist() for variable in case.model.variables]
    gradflow.inspect(case.model, objective="compiled")
    assert [variable.numpy().tolist() for variable in case.model.variables] == before


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_loss_that_keras_does_not_know_names_the_option(kind: str, tmp_path: Path) -> None:
    made("rounding").model.save(tmp_path / f"model.{kind}")
    with pytest.raises(UsageError) as raised:
        file_report(tmp_path / f"model.{kind}")
    assert "'rounding', which Keras does not have" in raised.value.message
    assert raised.value.hint.startswith("--import MODULE")


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_file_without_a_loss_says_so(kind: str, tmp_path: Path) -> None:
    import keras

    keras.Sequential([keras.Input([3]), keras.layers.Dense(2)]).save(tmp_path / f"model.{kind}")
    with pytest.raises(UsageError, match="the file was saved without a loss"):
        file_report(tmp_path / f"model.{kind}")


def test_a_lambda_as_a_loss_is_not_run(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    model.compile("sgd", lambda y_true, y_pred: y_pred - y_true)
    model.save(tmp_path / "model.keras")
    with pytest.raises(UsageError, match="loss is Python code, which is not run"):
        file_report(tmp_path / "model.keras")
    assert gradflow.inspect(tmp_path / "model.keras").models[0].summary.flows == 2


def test_what_has_no_compiled_loss_is_refused(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    for thing, told in ((model, "was not compiled"), (tf.Module(), "only Keras models")):
        report = gradflow.inspect(thing, objective="compiled").models[0]
        assert report.error is not None
        assert told in report.error.message
    with pytest.raises(UsageError, match="objective: 'losses' is not known"):
        gradflow.inspect(model, objective="losses")


@pytest.mark.skipif(
    importlib.util.find_spec("tf_keras") is None, reason="tf_keras (Keras 2) is not installed"
)
@pytest.mark.parametrize("kind", ["memory", "keras", "h5"])
def test_the_loss_of_a_model_of_keras_2(kind: str, tmp_path: Path) -> None:
    import tensorflow as tf
    import tf_keras

    tf_keras.backend.clear_session()
    x = tf_keras.Input([5], name="x")
    hidden = tf_keras.layers.Dense(4, "tanh", kernel_regularizer="l2", name="hidden")(x)
    kind_head = tf_keras.layers.Dense(3, "softmax", name="kind")(tf.stop_gradient(hidden))
    model = tf_keras.Model(x, [kind_head, tf_keras.layers.Dense(2, name="size")(hidden)])
    losses = {"kind": tf_keras.losses.SparseCategoricalCrossentropy()}
    model.compile("adam", losses)
    if kind == "memory":
        report = gradflow.inspect(model, objective="compiled").models[0]
    else:
        model.save(tmp_path / f"model.{kind}")
        report = file_report(tmp_path / f"model.{kind}")
        assert "call(training=True), loaded by tf_keras" in str(report.entry)
    assert report.status is Status.ANALYZED, report.error
    # The first head is stopped, the second has no loss; what a regularizer moves is not trained.
    assert none_of(report) == ["hidden/bias", "hidden/kernel", "size/bias", "size/kernel"]
    assert report.objective == (
        "compiled: sparse_categorical_crossentropy on kind, weight 1.0; none on size"
    )
