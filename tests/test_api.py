"""The Python API: paths and objects, and objects left as they were found."""

from __future__ import annotations

import importlib
import json
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
    assert failed.error.hint == 'give each: inputs={"x": "float32[4,16]"}'
    fed = gradflow.inspect(model, inputs={"x": "float32[4,5]"}).models[0]
    assert fed.error is None
    assert fed.summary.flows == 2
    called = Doubling()
    called(np.ones((2, 5)))
    known = gradflow.inspect(called).models[0]
    assert [(one.name, one.shape) for one in known.inputs] == [("x", (4, 5))]
    by_hand = gradflow.inspect(model, inputs=np.ones((3, 5))).models[0]
    assert [(one.name, one.shape, one.source) for one in by_hand.inputs] == [("x", (3, 5), "given")]


@pytest.fixture(scope="module")
def two_heads() -> Any:
    import keras

    x = keras.Input((5,), name="x")
    hidden = keras.layers.Dense(4, name="hidden")(x)
    heads = {name: keras.layers.Dense(2, name=name)(hidden) for name in ("head", "tail")}
    return keras.Model(x, heads, name="two_heads")


def test_a_report_is_printed_as_the_command_prints_it(two_heads: Any, tmp_path: Path) -> None:
    report = gradflow.inspect(two_heads)

    assert report.ok
    assert str(report) == report.to_text().rstrip("\n")
    assert str(report).startswith("two_heads: all 6 weights receive a gradient\n  model in memory")
    assert repr(report) == "<gradflow.Report two_heads: all 6 weights receive a gradient>"
    cut = gradflow.inspect(two_heads, outputs="head")
    assert not cut.ok
    assert "tail/kernel" in cut.to_text(show_all=True)
    assert json.loads(cut.to_json())["models"][0]["summary"]["none"] == 2
    for ending, beginning in {
        "txt": "two_heads: ",
        "json": '{\n  "schema": "gradflow-report-1"',
        "md": "### gradflow: ",
        "sarif": "{",
        "xml": "<?xml ",
    }.items():
        cut.save(tmp_path / f"report.{ending}")
        written = (tmp_path / f"report.{ending}").read_text(encoding="utf-8")
        assert written.startswith(beginning)
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == cut.to_json()
    with pytest.raises(UsageError, match=r"no format has the ending '\.doc'; end it with \.txt"):
        cut.save(tmp_path / "report.doc")
    failed = gradflow.inspect(tmp_path / "missing.keras")
    assert not failed.ok


@pytest.mark.filterwarnings("ignore:inputs. no effect of y")
def test_inputs_are_what_a_caller_has(two_heads: Any) -> None:
    import numpy as np
    import tensorflow as tf

    x, y = np.ones((3, 5)), np.ones((3, 2))
    data = tf.data.Dataset.from_tensor_slices((np.ones((4, 5), "float32"), np.ones((4, 2))))
    for given, shape, source in (
        ({"x": x}, (3, 5), "given"),
        (x, (3, 5), "given"),
        ([x], (3, 5), "given"),
        ((x, y), (3, 5), "given"),
        (({"x": x}, y), (3, 5), "given"),
        (tf.constant(x), (3, 5), "given"),
        (x.tolist(), (3, 5), "given"),
        (data.batch(2), (2, 5), "given"),
        (data.map(lambda row, _: {"x": row}).batch(2), (2, 5), "given"),
        ((6, 5), (6, 5), "normal(seed=0)"),
        ({"x": (6, 5)}, (6, 5), "normal(seed=0)"),
        ({"x": "float32[7,5]"}, (7, 5), "normal(seed=0)"),
    ):
        (read,) = gradflow.inspect(two_heads, inputs=given).models[0].inputs
        assert (read.name, read.shape, read.source) == ("x", shape, source)
    path = SAMPLES / "argmax.keras"
    (declared,) = gradflow.inspect(path).models[0].inputs
    (read,) = gradflow.inspect(path, inputs=np.ones([2, *declared.shape[1:]])).models[0].inputs
    assert (read.name, read.shape[0], read.source) == (declared.name, 2, "given")


@pytest.fixture(scope="module")
def compiled() -> Any:
    import keras

    x = keras.Input((5,), name="x")
    heads = [keras.layers.Dense(2, name=name)(x) for name in ("left", "right")]
    model = keras.Model(x, dict(zip(("left", "right"), heads, strict=True)))
    model.compile("sgd", loss={"left": "mse", "right": "mse"})
    return model


def test_y_is_what_the_compiled_loss_compares_with(compiled: Any, tmp_path: Path) -> None:
    """Where an output is its own target, nothing is left to learn: the gradient is zero."""
    import numpy as np
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    reached = {name: value.numpy() for name, value in compiled(x, training=True).items()}
    other = {name: value + 1.0 for name, value in reached.items()}

    def learning(model: Any, inputs: Any, **options: Any) -> set[str]:
        report = gradflow.inspect(model, inputs=inputs, **options).models[0]
        return {item.name.partition("/")[0] for item in report.variables if item.verdict == "flows"}

    both = {"left", "right"}
    assert learning(compiled, x) == learning(compiled, (x, other)) == both
    assert learning(compiled, (x, {**other, "left": reached["left"]})) == {"right"}
    assert learning(compiled, (x, {"right": reached["right"]})) == {"left"}  # left is drawn
    assert learning(compiled, ({"x": x}, [other["left"], reached["right"]])) == {"left"}
    data = tf.data.Dataset.from_tensor_slices((x, {**other, "left": reached["left"]})).batch(3)
    assert learning(compiled, data) == {"right"}
    assert learning(compiled, (x, reached), objective="outputs") == both
    path = tmp_path / "compiled.keras"
    compiled.save(path)
    assert learning(path, (x, {**other, "left": reached["left"]})) == {"right"}


def test_sample_weight_is_what_fit_multiplies_the_loss_with(compiled: Any, tmp_path: Path) -> None:
    """Rows of weight 0 teach nothing: one array for every output, or one for each of some."""
    import numpy as np
    import tensorflow as tf

    x, y = np.ones((3, 5)), {"left": np.ones((3, 2)), "right": np.ones((3, 2))}
    none, some = np.zeros(3), np.array([0, 2, 1])

    def learning(model: Any, inputs: Any, **options: Any) -> set[str]:
        report = gradflow.inspect(model, inputs=inputs, **options).models[0]
        assert "; with the sample_weight given" in str(report.objective) or options
        return {item.name.partition("/")[0] for item in report.variables if item.verdict == "flows"}

    assert learning(compiled, (x, y, none)) == set()
    assert learning(compiled, (x, y, some)) == {"left", "right"}
    assert learning(compiled, (x, y, {"left": none})) == {"right"}
    assert learning(compiled, ({"x": x}, list(y.values()), [some, none])) == {"left"}
    assert learning(compiled, (x, None, {"right": none})) == {"left"}
    rows = (x, y, {"left": some, "right": none})
    data = tf.data.Dataset.from_tensor_slices(rows).batch(3)
    assert learning(compiled, data) == {"left"}
    assert learning(compiled, rows, objective="outputs") == {"left", "right"}
    path = tmp_path / "compiled.keras"
    compiled.save(path)
    assert learning(path, rows) == {"left"}
    with pytest.raises(UsageError, match=r"a tuple of 4 is neither \(x, y\) nor \(x, y, sample"):
        gradflow.inspect(compiled, inputs=(x, y, none, none))


def test_a_y_for_no_loss_is_told_to_be_without_effect(two_heads: Any) -> None:
    import numpy as np

    y = [np.ones((3, 2))] * 2
    with pytest.warns(UserWarning, match=r"^inputs: no effect of y and sample_weight: the model i"):
        gradflow.inspect(two_heads, inputs=(np.ones((3, 5)), y, np.ones(3)))


def test_a_y_that_does_not_fit_is_an_error(compiled: Any) -> None:
    import numpy as np

    x, y = np.ones((3, 5)), np.ones((3, 2))
    for wrong, message, hint in (
        ({"lefd": y}, "inputs: y: no output is called 'lefd'", "did you mean 'left'?"),
        (y, "inputs: y is 1 array, and the model's outputs are 2", "for each of left"),
        ([y, y[:, :0]], "inputs: the model's loss refuses y: ", "with as many rows as x"),
    ):
        error = gradflow.inspect(compiled, inputs=(x, wrong)).models[0].error
        assert error is not None
        assert message in error.message
        assert hint in error.hint
    for weights, message in (
        ({"lefd": x[:, 0]}, "sample_weight: no output is called 'lefd'"),
        ([x[:, 0]] * 3, "sample_weight is 3 arrays, and the model's outputs are 2"),
        (np.ones(4), "the model's loss refuses y and sample_weight: "),
    ):
        error = gradflow.inspect(compiled, inputs=(x, [y, y], weights)).models[0].error
        assert error is not None
        assert f"inputs: {message}" in error.message
    with pytest.raises(UsageError, match="inputs: y is no array"):
        gradflow.inspect(compiled, inputs=(x, object()))


@pytest.mark.filterwarnings("ignore:inputs. no effect of y")
def test_several_inputs_are_given_in_their_order() -> None:
    import keras
    import numpy as np

    left, right = keras.Input((3,), name="left"), keras.Input((2,), name="right")
    both = keras.layers.Concatenate()([left, right])
    model = keras.Model([left, right], keras.layers.Dense(2)(both))
    arrays = [np.ones((2, 3)), np.ones((2, 2))]
    for given in (arrays, tuple(arrays), (arrays, np.ones((2, 2)))):
        report = gradflow.inspect(model, inputs=given).models[0]
        assert [(one.name, one.shape) for one in report.inputs] == [
            ("left", (2, 3)),
            ("right", (2, 2)),
        ]


def test_whole_numbers_stay_whole_where_the_model_declares_no_type() -> None:
    import keras
    import numpy as np
    import tensorflow as tf

    class Rows(tf.Module):
        def __init__(self) -> None:
            self.table = tf.Variable(tf.ones((5, 3)))

        @tf.function
        def __call__(self, ids: Any) -> Any:
            return tf.gather(self.table, ids)

    class Two(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.rows = keras.layers.Dense(3), keras.layers.Embedding(10, 3)

        def call(self, ids: Any, x: Any) -> Any:
            return self.dense(x) + self.rows(ids)

    ids, x = np.array([1, 2, 3]), np.ones((3, 5))
    two = Two()
    two(ids, x)
    for model, given in ((Rows(), ids), (two, [ids, x]), (two, {"ids": ids, "x": x})):
        report = gradflow.inspect(model, inputs=given).models[0]
        assert report.error is None
        assert (report.inputs[0].name, report.inputs[0].dtype) == ("ids", "int64")
        assert report.summary.flows == report.summary.weights


def test_a_wrong_name_is_told_the_nearest_one(two_heads: Any) -> None:
    import numpy as np

    def hint(**options: Any) -> str:
        error = gradflow.inspect(two_heads, **options).models[0].error
        assert error is not None
        assert "--" not in f"{error.message} {error.hint}"
        return f"{error.message}; {error.hint}"

    assert hint(outputs="haed").startswith(
        "outputs 'haed': the model has no such output; did you mean 'head'? its outputs are: head"
    )
    assert hint(inputs={"xx": "float32[2,5]"}) == (
        "inputs 'xx': the model has no such input; did you mean 'x'? its inputs are: x"
    )
    assert "the array is float64[3,4], the model takes float32[?,5]" in hint(inputs=np.ones((3, 4)))
    with pytest.raises(
        TypeError, match=r"no keyword argument 'batchsize': did you mean 'batch_siz"
    ):
        gradflow.inspect(two_heads, batchsize=4)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="batch_size: 0 is out of range; give a whole number of"):
        gradflow.inspect(two_heads, batch_size=0)
    with pytest.raises(UsageError, match="inputs: x is no array: object"):
        gradflow.inspect(two_heads, inputs={"x": object()})


def test_the_names_of_the_api_are_all_that_dir_shows() -> None:
    assert dir(gradflow) == [
        "GradflowError",
        "Report",
        "UsageError",
        "Watch",
        "__version__",
        "assert_trains",
        "inspect",
        "keras",
        "watch",
    ]
    assert gradflow.UsageError is UsageError
    assert issubclass(gradflow.UsageError, gradflow.GradflowError)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_a_model_that_trains_its_parts_itself_is_told_so(library: str) -> None:
    import numpy as np

    keras: Any = importlib.import_module(library)

    class Gan(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="gan")
            dense = keras.layers.Dense
            self.generator = keras.Sequential([keras.Input((3,)), dense(4)])
            self.discriminator = keras.Sequential([keras.Input((4,)), dense(1)])

        def train_step(self, data: Any) -> Any:
            return {}

    class Called(Gan):
        def call(self, x: Any) -> Any:
            return self.generator(x)

    error = gradflow.inspect(Gan()).models[0].error
    assert error is not None
    assert "its own train_step trains parts that its call" in error.message
    assert error.hint == (
        "inspect each part: gradflow.inspect(model.generator), "
        "gradflow.inspect(model.discriminator)"
    )
    called = Called()
    called(np.ones((2, 3), "float32"))
    if library == "tf_keras":
        return  # it records no inputs
    (unused,) = gradflow.inspect(called).models[0].findings
    assert unused.code == "GF206"
    assert "the model's own train_step may train them" in unused.hint


def test_no_two_variables_of_a_layer_carry_one_name() -> None:
    import keras

    class Named(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.named = [self.add_weight(name="w", shape=(3, 3)) for _ in range(3)]
            self.unnamed = [self.add_weight(shape=(3, 3)) for _ in range(2)]
            super().build(shape)

        def call(self, x: Any) -> Any:
            a, b, c = self.named
            return x @ a @ keras.ops.stop_gradient(b) @ c @ self.unnamed[0] @ self.unnamed[1]

    model = keras.Sequential([keras.Input((3,)), Named(name="one"), Named(name="two")])
    variables = gradflow.inspect(model).models[0].variables
    assert len({variable.name for variable in variables}) == 10
    assert [item.name for item in variables if item.name.startswith(f"{model.name}/two/w")] == [
        f"{model.name}/two/w@two{end}" for end in ("", "#2", "#3")
    ]


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
    assert trusted.findings[0].message.startswith("let in by trust=True: ")


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


def test_the_page_of_a_model_in_memory_is_traced_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its numbers are those of the step, whatever was done to the model since."""
    import pickle

    import keras
    import numpy as np

    from gradflow.tape import explain

    traced: list[object] = []
    graph_of = explain._graph
    monkeypatch.setattr(explain, "_graph", lambda *given: traced.append(given) or graph_of(*given))
    # A model that another test stepped before may have had an op without a gradient.
    monkeypatch.setattr(explain, "asked_in_vain", dict)
    x = keras.Input((5,), name="x")
    model = keras.Model(x, keras.layers.Dense(2, name="head")(keras.layers.Dense(3, name="a")(x)))
    before = gradflow.inspect(model)
    assert before.ok
    assert not traced
    mapped = gradflow.inspect(model, map=True)
    assert len(traced) == 1
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    page = before.to_html()
    assert len(traced) == 2
    assert (
        page == mapped.to_html() == before.to_html() == pickle.loads(pickle.dumps(before)).to_html()
    )
    assert len(traced) == 2
    assert before.models[0].map is None
