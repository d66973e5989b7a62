"""``--objective auto``: what is differentiated, what is said of it, and that it is what ``fit``
does to the weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.findings import ModelReport
from gradflow.options import Objective, Options
from gradflow.report.text import render_model
from tests.agreement.fit_oracle import hold, hold_random
from tests.agreement.subject import analysed
from tests.agreement.test_compiled import NAMES, made, none_of
from tests.models.keras_key import KERAS_CASES
from tests.models.keras_key.case import made as made_key

pytestmark = pytest.mark.tensorflow

CUSTOM = ("tests.models.compiled_models",)


def saved(model: Any, folder: Path, kind: str = "keras", **options: Any) -> ModelReport:
    """The report of ``model`` as a file."""
    import keras

    path = folder / f"model.{kind}"
    model.save(path)
    keras.backend.clear_session()
    return analysed(path, Options(**options)).report


def head(report: ModelReport) -> str:
    """The first lines of the text, unfolded."""
    return " ".join(render_model(report).partition("\n\n")[0].split())


@pytest.mark.parametrize("kind", ["memory", "keras"])
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[] if seed < 12 else pytest.mark.slow) for seed in range(60)]
)
def test_the_verdicts_are_what_fit_does_to_a_random_model(seed: int, kind: str) -> None:
    if kind == "keras" and seed % 4:
        pytest.skip("a quarter of them as files")
    assert hold_random(seed, kind).complaints == []


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[] if seed < 6 else pytest.mark.slow) for seed in range(40)]
)
def test_the_verdicts_are_what_fit_does_with_sample_weights(seed: int) -> None:
    """On the same targets, and with weights that are 0 for some rows or for all of them."""
    assert hold_random(seed, "given").complaints == []


@pytest.mark.parametrize("name", NAMES)
def test_the_verdicts_are_what_fit_does_to_a_compiled_model(name: str) -> None:
    import numpy as np

    from tests.models.fit import moved_by_fit

    case = made(name)
    report = gradflow.inspect(case.model).models[0]
    shape = case.model.inputs[0].shape[1:]
    draw = np.random.default_rng(0)
    x = draw.integers(0, 9, [4, *shape]) if name == "tokens" else draw.normal(size=[4, *shape])
    assert hold(report, moved_by_fit(case.model, x, case.targets, 4)).complaints == []


@pytest.mark.parametrize("eagerly", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", KERAS_CASES)
def test_the_verdicts_are_what_fit_does_to_a_model_of_the_key(name: str, eagerly: bool) -> None:
    """Compiled with a squared error on all outputs, which is what the key asks for.

    That a function of the step moves the same as the step itself is shown by the models above.
    """
    from tests.models.fit import moved_by_fit, normal_data

    case = KERAS_CASES[name]
    model = made_key(case)
    x, y = normal_data(model)
    if y is None:
        pytest.skip("an output is not of floats")
    model.compile("sgd", "mse", jit_compile=False, run_eagerly=eagerly)
    report = gradflow.inspect(model).models[0]
    assert str(report.objective).startswith("compiled: mse on ")
    assert hold(report, moved_by_fit(model, x, y, 4)).complaints == []


def test_a_head_that_the_loss_does_not_cover_does_not_train(tmp_path: Path) -> None:
    import keras

    x = keras.Input([5], name="x")
    hidden = keras.layers.Dense(4, "tanh", name="hidden")(x)
    heads = {name: keras.layers.Dense(2, name=name)(hidden) for name in ("a", "b")}
    model = keras.Model(x, heads)
    model.compile("sgd", {"a": "mse"})
    report = saved(model, tmp_path)

    assert report.objective == "compiled: mse on a, weight 1.0; none on b"
    assert none_of(report) == ["b/bias", "b/kernel"]
    (finding,) = report.findings
    assert finding.code == "GF206"
    assert finding.message.endswith("the compiled loss does not cover output b")
    assert "objective: compiled: mse on a, weight 1.0; none on b" in head(report)
    outputs = saved(model, tmp_path, objective=Objective.OUTPUTS)
    assert (outputs.objective, none_of(outputs)) == ("outputs", [])


def test_what_layers_add_to_the_loss_is_said_with_and_without_a_step(tmp_path: Path) -> None:
    """Layers of Keras add what their configuration says; what others do, no file tells."""
    import keras

    from gradflow.analysis.static import read
    from tests.models.compiled_models import Penalty

    added = "losses that layers add (add_loss)"
    x = keras.Input((4,), name="x")
    for layer, read_alone in (
        (keras.layers.Dense(3, activity_regularizer="l2", name="first"), added),
        (keras.layers.ActivityRegularization(l1=0.1, name="first"), added),
        (keras.layers.Dense(3, kernel_regularizer="l2", name="first"), ""),
        (Penalty(name="first"), "losses that layers may add (add_loss)"),
    ):
        model = keras.Model(x, [keras.layers.Dense(2, name=n)(layer(x)) for n in ("head", "other")])
        model.compile("sgd", loss=["mse", None])
        stepped = saved(model, tmp_path, imports=CUSTOM).objective
        alone = read(str(tmp_path / "model.keras"), Options(static=True)).report.objective
        said = ((stepped, read_alone and added), (alone, read_alone))
        for objective, words in said:
            parts = ["compiled: mse on head, weight 1.0", *filter(None, [words]), "none on other"]
            assert objective == "; ".join(parts)


@pytest.mark.parametrize("rows", [4, 17, 32])
@pytest.mark.parametrize("loss", ["mse", "categorical_crossentropy", None])
@pytest.mark.parametrize("has_other_head", [False, True])
def test_a_softmax_of_one_unit_is_never_green(
    rows: int, loss: str | None, has_other_head: bool
) -> None:
    """With more than a few rows, rounding noise arrives in place of zeros (TensorFlow 2.21)."""
    import keras

    x = keras.Input([4], name="x")
    hidden = keras.layers.Dense(3, "tanh", name="hidden")(x)
    heads = [keras.layers.Dense(1, "softmax", name="only")(hidden)]
    heads += [keras.layers.Dense(2, name="other")(keras.layers.Dense(3)(x))] * has_other_head
    model = keras.Model(x, heads)
    if loss is not None:
        model.compile("sgd", [loss, "mse"][: len(heads)])
    report = gradflow.inspect(model, batch_size=rows).models[0]

    told = {
        name
        for finding in report.findings
        if finding.severity != "note" and "a single class" in finding.message
        for name in finding.variables
    }
    assert told == {"hidden/kernel", "hidden/bias", "only/kernel", "only/bias"}


def test_a_softmax_of_one_unit_is_alive_where_the_loss_goes_by_its_logits(tmp_path: Path) -> None:
    import keras

    x = keras.Input([5], name="x")
    hidden = keras.layers.Dense(3, "tanh")(x)
    model = keras.Model(x, keras.layers.Dense(1, "softmax", name="head")(hidden))
    model.compile("sgd", "binary_crossentropy")
    report = saved(model, tmp_path)
    assert report.objective == "compiled: binary_crossentropy on head, weight 1.0"
    assert (report.summary.flows, report.findings) == (4, ())
    assert saved(model, tmp_path, objective=Objective.OUTPUTS).summary.zero == 4


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_loss_that_is_not_to_be_had_is_said_with_the_option(kind: str, tmp_path: Path) -> None:
    report = saved(made("rounding").model, tmp_path, kind)
    assert report.objective == "outputs"
    assert report.summary.flows == 4
    assert "objective: outputs; the compiled loss is not used: " in head(report)
    assert "'rounding', which Keras does not have" in head(report)
    assert "--import MODULE, the module that defines it" in head(report)
    assert "--objective compiled" not in head(report)
    imported = saved(made("rounding").model, tmp_path, kind, imports=CUSTOM)
    assert imported.summary.none == 4
    assert "the compiled loss is not used" not in head(imported)


def test_byte_code_as_a_loss_is_not_run_and_that_is_said(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    model.compile("sgd", lambda y_true, y_pred: y_pred - y_true)
    report = saved(model, tmp_path)
    assert (report.objective, report.summary.flows) == ("outputs", 2)
    assert "the file's loss is Python code, which is not run; give it a name" in head(report)
    assert "--objective compiled" not in head(report)


def test_what_has_no_loss_is_asked_for_its_outputs_without_a_word(tmp_path: Path) -> None:
    import keras

    def model(*arguments: Any) -> Any:
        model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
        if arguments:
            model.compile(*arguments)
        return model

    for report in (
        gradflow.inspect(model()).models[0],
        gradflow.inspect(model("sgd")).models[0],
        saved(model(), tmp_path),
        saved(model("sgd"), tmp_path),
    ):
        assert (report.objective, report.unused_loss) == ("outputs", "")
        assert "objective" not in head(report)


def test_outputs_that_are_chosen_count_and_not_the_loss() -> None:
    report = gradflow.inspect(made("list_of_losses").model, outputs=["size"]).models[0]
    assert report.objective == "outputs"
    assert [output.name for output in report.outputs] == ["size"]


def test_a_loss_that_synthetic_targets_do_not_suit_gives_way_to_the_outputs() -> None:
    import keras

    def of_rows(y_true: Any, y_pred: Any) -> Any:
        raise ValueError("the targets must be boxes")

    def of_positives(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.square(y_pred)) * keras.ops.relu(
            keras.ops.min(y_true) - 10.0
        )

    for loss, reason in ((of_rows, "must be boxes"), (of_positives, "made up")):
        model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
        model.compile("sgd", loss)
        report = gradflow.inspect(model).models[0]
        assert (report.objective, report.summary.flows) == ("outputs", 2)
        assert reason in report.unused_loss


def test_a_step_of_its_own_decides_what_is_minimised() -> None:
    import keras

    class Own(keras.Model):
        def train_step(self, data: Any) -> Any:
            return {}

    x = keras.Input([3])
    model = Own(x, keras.layers.Dense(2)(x))
    model.compile("sgd", "mse")
    report = gradflow.inspect(model).models[0]
    assert report.objective == "outputs"
    assert "a train_step of its own" in report.unused_loss


def test_a_model_in_memory_can_be_fitted_afterwards_with_targets_of_another_structure() -> None:
    import numpy as np

    case = made("dict_of_losses")
    before = vars(case.model._compile_loss).copy()
    gradflow.inspect(case.model)
    assert vars(case.model._compile_loss) == before
    case.model.fit(np.ones([4, 5]), case.targets, verbose=0)


@pytest.mark.parametrize("static", [True, False])
def test_a_loss_of_no_weight_leaves_zeros_in_front_of_the_loss(
    static: bool, tmp_path: Path
) -> None:
    """A step and the file alone: what only that loss would train gets zeros."""
    made("loss_of_no_weight").model.save(tmp_path / "model.keras")
    report = gradflow.inspect(tmp_path / "model.keras", static=static).models[0]

    zeros = {item.name for item in report.variables if item.verdict == "zero"}
    assert zeros == {"size/kernel", "size/bias"}
    (finding,) = report.findings
    assert finding.code == "GF303"
    assert finding.between == ("size", "loss")
    assert "loss_weights gives this loss the weight 0" in finding.message
    assert "▼  loss" in render_model(report)


@pytest.mark.parametrize("kind", ["memory", "keras", "static"])
def test_a_dict_of_losses_that_leaves_an_output_of_a_list_out(kind: str, tmp_path: Path) -> None:
    """Keras 3.15 cannot fit such a model; others train what the dict names."""
    import keras

    x = keras.Input([4], name="x")
    trunk = keras.layers.Dense(3, name="trunk")(x)
    model = keras.Model(x, [keras.layers.Dense(2, name=name)(trunk) for name in ("a", "b")])
    model.compile("sgd", {"a": "mse"}, loss_weights={"a": 2.0})
    before = dict(vars(model._compile_loss))
    path = tmp_path / "model.keras"
    model.save(path)
    subject = model if kind == "memory" else path
    report = gradflow.inspect(subject, static=kind == "static").models[0]

    assert report.objective == "compiled: mse on a, weight 2.0; none on b"
    assert none_of(report) == ["b/bias", "b/kernel"]
    assert ": 2 of 6 weights get no gradient, 1 cause" in head(report)
    assert vars(model._compile_loss) == before


@pytest.mark.skipif(
    importlib.util.find_spec("tf_keras") is None, reason="tf_keras (Keras 2) is not installed"
)
@pytest.mark.parametrize("kind", ["memory", "keras", "h5"])
def test_keras_2_alike(kind: str, tmp_path: Path) -> None:
    import tf_keras

    tf_keras.backend.clear_session()
    x = tf_keras.Input([5], name="x")
    hidden = tf_keras.layers.Dense(4, "tanh", kernel_regularizer="l2", name="hidden")(x)
    heads = [tf_keras.layers.Dense(2, name=name)(hidden) for name in ("a", "b")]
    model = tf_keras.Model(x, heads)
    model.compile("adam", {"a": "mse"}, loss_weights={"a": 2.0})
    if kind == "memory":
        report = gradflow.inspect(model).models[0]
    else:
        model.save(tmp_path / f"model.{kind}")
        report = analysed(tmp_path / f"model.{kind}", Options()).report
    assert report.objective == "compiled: mse on a, weight 2.0; none on b"
    assert none_of(report) == ["b/bias", "b/kernel"]


@pytest.mark.skipif(
    importlib.util.find_spec("tf_keras") is None, reason="tf_keras (Keras 2) is not installed"
)
def test_keras_2_weighs_the_rows_alike() -> None:
    """Held against what one step of its own ``train_on_batch`` moves."""
    import numpy as np
    import tf_keras

    tf_keras.backend.clear_session()
    x = tf_keras.Input([5], name="x")
    heads = [tf_keras.layers.Dense(2, name=name)(x) for name in ("a", "b")]
    model = tf_keras.Model(x, heads)
    data, targets, none = np.ones([3, 5]), [np.zeros([3, 2])] * 2, np.zeros(3)
    for weights in (none, [none, 1.0 + none], {"a": 1.0 + none, "b": none}):
        model.compile(tf_keras.optimizers.SGD(1.0), "mse")
        report = gradflow.inspect(model, inputs=(data, targets, weights)).models[0]
        before = model.get_weights()
        model.train_on_batch(data, targets, weights)
        moved = {
            variable.name.removesuffix(":0"): not np.array_equal(old, variable.numpy())
            for variable, old in zip(model.weights, before, strict=True)
        }
        assert hold(report, moved).complaints == []
