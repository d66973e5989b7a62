"""The Python API: paths and objects, and objects left as they were found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.errors import UsageError
from gradflow.findings import ModelReport, Report, Severity
from gradflow.pytest_plugin import Gradflow

pytestmark = pytest.mark.tensorflow

SAMPLES = Path(__file__).parents[1] / "sample_models"


def test_a_path_and_the_same_model_in_memory_get_the_same_verdicts_and_causes() -> None:
    import keras

    path = SAMPLES / "argmax.keras"
    from_file, from_memory = (
        gradflow.inspect(path),
        gradflow.inspect(keras.models.load_model(path, compile=False)),
    )
    assert isinstance(from_file, Report)
    assert isinstance(from_memory, Report)
    assert _told(from_file.models[0]) == _told(from_memory.models[0])
    assert from_memory.tool == from_file.tool
    assert from_memory.models[0].format is not None


def test_the_model_is_left_as_it_was_found() -> None:
    import keras
    import numpy as np

    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(6, trainable=False),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    model.fit(np.ones((4, 6)), np.ones((4, 2)), verbose=0)
    state = np.random.get_state()[1].copy()
    before = [np.array(variable) for variable in [*model.variables, *model.optimizer.variables]]
    flags = [variable.trainable for variable in model.variables]
    report = gradflow.inspect(model).models[0]
    assert report.error is None
    assert report.summary.frozen == 2
    after = [np.array(variable) for variable in [*model.variables, *model.optimizer.variables]]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert flags == [variable.trainable for variable in model.variables]
    assert np.array_equal(state, np.random.get_state()[1])


def test_training_mode_and_inputs_are_the_callers() -> None:
    import keras

    model = keras.Sequential([keras.Input((None, 3), name="x"), keras.layers.LSTM(4, name="lstm")])
    report = gradflow.inspect(model, training=False, inputs={"x": "float32[2,5,3]"}, seed=7).models[
        0
    ]
    assert report.entry == "call(training=False)"
    assert report.inputs[0].shape == (2, 5, 3)
    assert report.inputs[0].source == "normal(seed=7)"


def test_an_object_that_is_no_model_is_a_failed_report_and_not_an_exception() -> None:
    report = gradflow.inspect([1, 2, 3]).models[0]
    assert report.error is not None
    assert "neither a Keras model nor a tf.Module" in report.error.message


def test_a_static_reading_needs_a_file() -> None:
    with pytest.raises(UsageError, match="reads a file"):
        gradflow.inspect(object(), static=True)


def test_a_subclassed_model_without_recorded_inputs_says_what_to_write() -> None:
    import keras
    import numpy as np

    class Doubling(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="doubling")
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return 2.0 * self.dense(x)

    model = Doubling()
    unbuilt = gradflow.inspect(model, inputs={"x": "float32[4,5]"}).models[0]
    assert unbuilt.error is not None
    assert "is not built" in unbuilt.error.message
    model.dense.build((None, 5))
    model.built = True  # by hand: no shape was seen
    failed = gradflow.inspect(model).models[0]
    assert failed.error is not None
    assert "--input x=" in failed.error.hint
    fed = gradflow.inspect(model, inputs={"x": "float32[4,5]"}).models[0]
    assert fed.error is None
    assert fed.summary.flows == 2
    called = Doubling()
    called(np.ones((2, 5)))
    known = gradflow.inspect(called).models[0]
    assert [(one.name, one.shape) for one in known.inputs] == [("x", (4, 5))]


def test_a_layer_that_runs_python_code_eagerly_is_named_as_leaving_tensorflow() -> None:
    import keras

    class Eager(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.convert_to_tensor(x.numpy() + 1.0)

        def compute_output_spec(self, x: Any) -> Any:
            return keras.KerasTensor(x.shape, x.dtype)

    inputs = keras.Input((6,))
    hidden = Eager()(keras.layers.Dense(6, name="before")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, name="after")(hidden))
    report = gradflow.inspect(model).models[0]
    assert report.error is None
    causes = {
        variable.name: [cause.code for cause in variable.causes] for variable in report.variables
    }
    assert causes["before/kernel"] == ["GF208"]
    assert [
        finding.code for finding in report.findings if "before/kernel" in finding.variables
    ] == ["GF208"]


def test_a_unit_that_one_batch_leaves_dead_is_not_called_dead() -> None:
    import keras
    import numpy as np

    model = keras.Sequential(
        [keras.Input((1,), name="x"), keras.layers.Dense(1, activation="relu", name="unit")]
    )
    drawn = [_norms(model, bias, seed) for bias in (-1.5, -1.0, -0.5) for seed in range(4)]
    assert {0.0} < {norm for norms in drawn for norm in norms}, (
        "no draw left the unit dead, or all did"
    )
    for bias in (-1.5, -1.0, -0.5):
        for seed in range(2):
            model.set_weights([np.ones((1, 1)), np.full(1, bias)])
            alive = any(_norms(model, bias, probe)[0] > 0.0 for probe in range(seed, seed + 3))
            verdicts = {
                variable.verdict.value
                for variable in gradflow.inspect(model, seed=seed).models[0].variables
            }
            assert verdicts == {"flows" if alive else "zero"}


def test_a_file_is_trusted_by_its_caller_only(tmp_path: Path) -> None:
    import keras

    keras.Sequential(
        [keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1), keras.layers.Dense(2)]
    ).save(tmp_path / "model.keras")
    refused = gradflow.inspect(tmp_path / "model.keras").models[0]
    trusted = Gradflow().assert_flows(tmp_path / "model.keras", trust=True, memory_limit="8GB")

    assert refused.error is not None
    assert (refused.error.code, trusted.error) == ("GF902", None)
    assert [(one.code, one.severity) for one in trusted.findings] == [("GF902", Severity.NOTE)]
    assert trusted.findings[0].message.startswith("let in by --trust: ")


@pytest.mark.parametrize("limit", ["8", "much", 8, -1, 2.5, True])
def test_a_memory_limit_that_is_none_is_refused(limit: Any) -> None:
    with pytest.raises(UsageError, match="is not an amount of memory"):
        gradflow.inspect("model.keras", memory_limit=limit)


def _norms(model: Any, bias: float, seed: int) -> list[float]:
    """What one bare step on the batch of ``seed`` gives, without further probes."""
    import numpy as np

    from gradflow.options import Options
    from gradflow.tape.load.keras3 import Keras3Model
    from gradflow.tape.step import step

    model.set_weights([np.ones((1, 1)), np.full(1, bias)])
    measured = step(Keras3Model(model, training=True), Options(seed=seed)).measured
    return [
        one.gradient.norm
        for one in measured.values()
        if one.gradient is not None and one.gradient.norm is not None
    ]


def _told(report: ModelReport) -> list[tuple[Any, ...]]:
    return [
        (
            variable.name,
            variable.verdict,
            variable.trainable,
            variable.causes,
            variable.cuts_to_restore,
            variable.path,
        )
        for variable in report.variables
    ]


@pytest.mark.tensorflow
def test_a_custom_gradient_that_was_first_traced_by_gradflow_can_be_used_afterwards() -> None:
    import tensorflow as tf

    from tests.models.functions import Module

    module = Module("straight_through")
    assert gradflow.inspect(module, entry="serve").models[0].error is None
    with tf.GradientTape() as tape:
        output = module.serve(tf.ones([4, 3]))
    assert tape.gradient(output, module.weights["a"]) is not None


@pytest.mark.tensorflow
def test_a_gradient_function_that_raises_is_not_blamed_on_the_inputs() -> None:
    import tensorflow as tf

    @tf.custom_gradient
    def doubled(x):
        def gradient(upstream):
            raise ValueError("no slope here")

        return 2.0 * x, gradient

    class Raising(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable([1.0, 2.0, 3.0], name="weight")
            signature = [tf.TensorSpec([None, 3], tf.float32, name="x")]
            self.serve = tf.function(lambda x: doubled(x * self.weight), input_signature=signature)

    error = gradflow.inspect(Raising(), entry="serve").models[0].error
    assert error is not None
    assert (
        error.message
        == "the forward pass runs, and TensorFlow fails to differentiate it: no slope here"
    )
