"""Where a cut stands, in the words of the model: Keras in memory and saved, and modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.analysis.static import read
from gradflow.findings import Finding, ModelReport
from gradflow.options import Options
from gradflow.report.reach import reach_sentences

pytestmark = pytest.mark.tensorflow


def finding(model: ModelReport) -> Finding:
    return next(item for item in model.findings if item.between is not None)


def memory(model: Any) -> ModelReport:
    return gradflow.inspect(model).models[0]


def static(folder: Path) -> ModelReport:
    return read(str(folder), Options()).report


def subclassed() -> Any:
    import keras
    import tensorflow as tf

    class Inner(keras.layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.enc1, self.enc2 = (keras.layers.Dense(8, name=name) for name in ("enc1", "enc2"))

        def call(self, x: Any) -> Any:
            return self.enc2(tf.nn.relu(self.enc1(x)))

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="net")
            self.head = keras.layers.Dense(2, name="head")
            self.encoder = Inner(name="encoder_1")
            self.mid = keras.layers.Dense(8, name="mid")

        def call(self, x: Any) -> Any:
            return self.head(self.mid(tf.stop_gradient(self.encoder(x))))

    model = Net()
    model(tf.zeros((2, 6)))
    return model


def test_a_subclassed_model_speaks_of_its_layers_in_memory_and_saved(tmp_path: Path) -> None:
    import tensorflow as tf

    model = subclassed()
    found = finding(memory(model))
    assert found.between is not None
    assert [name.removeprefix("net/") for name in found.between] == ["encoder_1/enc2", "mid"]
    model.export(str(tmp_path / "export"), verbose=False)
    tf.saved_model.save(model, str(tmp_path / "saved"))
    for folder in ("export", "saved"):
        report = static(tmp_path / folder)
        assert {variable.name for variable in report.variables} == {
            f"{layer}/{leaf}"
            for layer in ("encoder_1/enc1", "encoder_1/enc2", "mid", "head")
            for leaf in ("kernel", "bias")
        }
        assert finding(report).between == ("encoder_1/enc2", "mid")
        assert reach_sentences(report) == [
            "from the input to encoder_1/enc2 nothing learns: 2 of 4 layers, 58.7 % of the "
            "parameters"
        ]


def test_a_module_speaks_of_its_objects_and_else_of_its_weights(tmp_path: Path) -> None:
    import tensorflow as tf

    class Linear(tf.Module):
        def __init__(self, inputs: int, units: int) -> None:
            super().__init__()
            self.w = tf.Variable(tf.ones((inputs, units)), name="w")

        def __call__(self, x: Any) -> Any:
            return x @ self.w

    class Objects(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.z_encoder, self.a_head = Linear(6, 8), Linear(8, 2)

        @tf.function(input_signature=[tf.TensorSpec((None, 6))])
        def __call__(self, x: Any) -> Any:
            return self.a_head(tf.cast(self.z_encoder(x) < 0.3, tf.float32))

    class Flat(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.z = (tf.Variable(tf.ones((6, 6)), name=name) for name in ("last", "first"))

        @tf.function(input_signature=[tf.TensorSpec((None, 6))])
        def __call__(self, x: Any) -> Any:
            return tf.round(x @ self.z) @ self.a

    for module, between, sentence in (
        (Objects(), ("z_encoder", "a_head"), "z_encoder nothing learns: 1 of 2 layers"),
        (Flat(), ("first", "last"), "first nothing learns: 1 of 2 weights"),
    ):
        tf.saved_model.save(module, str(tmp_path / sentence[:5]))
        reports = [memory(module), static(tmp_path / sentence[:5])]
        assert [finding(report).between for report in reports] == [between, between]
        for report in reports:
            assert reach_sentences(report)[0].startswith(f"from the input to {sentence}, ")
        assert len({variable.name for report in reports for variable in report.variables}) == 2


def test_no_scope_is_a_layer_where_keras_made_none(tmp_path: Path) -> None:
    """Of the causes and of the steps of a way, in memory and as a file, in a loop and outside."""
    import keras
    import tensorflow as tf

    from gradflow.analysis.step_model import analyse_model
    from gradflow.findings import Format, Route
    from gradflow.tape.load.in_memory import model_in_memory

    def draw(logits: Any) -> Any:
        return tf.one_hot(tf.random.categorical(logits, 1)[:, 0], 4)

    class Sampled(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.k, self.h = (tf.Variable(tf.eye(4), name=name) for name in "kh")

        @tf.function(input_signature=[tf.TensorSpec((3, 4))])
        def __call__(self, x: Any) -> Any:
            with tf.name_scope("encode"):
                drawn = draw(x @ self.k)
            step = lambda i, h: (i + 1, tf.tanh(h) + draw(h))  # noqa: E731
            return tf.while_loop(lambda i, h: i < 2, step, (0, drawn))[1] @ self.h

    class Held(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode = keras.layers.Dense(4, name="encode")
            self.encode.build((3, 4))
            self.h = tf.Variable(tf.eye(4), name="h")

        @tf.function(input_signature=[tf.TensorSpec((3, 4))])
        def __call__(self, x: Any) -> Any:
            return draw(self.encode(x)) @ self.h

    def routes(module: Any, name: str) -> list[Route | None]:
        asked = Options(why=name)
        loaded = model_in_memory(module, "module", asked)
        tf.saved_model.save(module, str(tmp_path / name), signatures=module.__call__)
        stepped = analyse_model(loaded, "module", Format.MEMORY, asked)
        return [stepped.route, read(str(tmp_path / name), asked).route]

    for route in routes(Sampled(), "k"):
        assert route is not None
        assert len(route.steps) > 3
        assert {step.layer for step in route.steps} == {None}
        assert {change.cause.layer for change in route.changes} == {None}
    route, _ = routes(Held(), "encode/kernel")
    assert route is not None
    assert "encode" in {step.layer for step in route.steps}


def test_functions_branches_and_loops_stand_where_the_data_goes_through_them() -> None:
    import tensorflow as tf

    class Calls(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (tf.Variable(tf.ones((4, 4)), name=name) for name in "abc")

        @tf.function
        def inner(self, h: Any) -> Any:
            return tf.stop_gradient(h) @ self.b

        @tf.function(input_signature=[tf.TensorSpec((2, 4))])
        def called(self, x: Any) -> Any:
            return self.inner(x @ self.a) @ self.c

        @tf.function(input_signature=[tf.TensorSpec((2, 4))])
        def branch(self, x: Any) -> Any:
            h, stopped = x @ self.a, tf.stop_gradient
            return tf.cond(x[0, 0] > 0, lambda: stopped(h) @ self.b, lambda: stopped(h)) @ self.c

        @tf.function(input_signature=[tf.TensorSpec((2, 4))])
        def loop(self, x: Any) -> Any:
            def body(step: Any, h: Any) -> Any:
                return step + 1, tf.round(h) @ self.b

            return tf.while_loop(lambda step, _: step < 3, body, (0, x @ self.a))[1] @ self.c

    module = Calls()
    for entry, between in (("called", "ab"), ("branch", "acab"), ("loop", "ab")):
        findings = gradflow.inspect(module, entry=entry).models[0].findings
        told = [item.between for item in findings if "a" in item.variables]
        assert "".join(name for pair in told for name in pair or "?") == between, entry


def test_a_graph_of_tensorflow_1_speaks_of_its_scopes(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 4), name="x")
        with v1.variable_scope("encoder"):
            h = tf.nn.relu(x @ v1.get_variable("w", (4, 4)))
        h = tf.stop_gradient(h)
        with v1.variable_scope("head"):
            y = h @ v1.get_variable("w", (4, 2))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "tf1"), {"x": x}, {"y": y})
    assert finding(static(tmp_path / "tf1")).between == ("encoder", "head")


def test_a_cut_in_a_layer_and_one_of_keras_ops() -> None:
    import keras
    import tensorflow as tf

    class Quantized(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.first = self.add_weight(shape=(shape[-1], 4), name="first")
            self.second = self.add_weight(shape=(4, 4), name="second")

        def call(self, x: Any) -> Any:
            return tf.round(x @ self.first) @ self.second

    x = keras.Input((6,))
    h = Quantized(name="quantized")(keras.layers.Dense(6, name="stem")(x))
    assert finding(memory(keras.Model(x, h))).between == ("quantized", "quantized")
    h = keras.layers.Activation("relu", name="act")(keras.layers.Dense(6, name="stem")(x))
    h = keras.ops.stop_gradient(h)
    h = keras.layers.Dense(2, name="head")(h)
    assert finding(memory(keras.Model(x, h))).between == ("act", "head")
    bare = keras.Model(x, keras.ops.stop_gradient(keras.layers.Dense(6, name="stem")(x)))
    between = finding(memory(bare)).between
    assert between is not None
    assert (between[0], between[1].rstrip("_0123456789")) == ("stem", "stop_gradient")


@pytest.mark.slow
def test_efficientnet_with_a_cut_in_the_middle() -> None:
    import keras
    from keras.src.models.cloning import clone_model

    def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
        if layer.name == "block4a_expand_bn":
            arguments = (keras.ops.stop_gradient(arguments[0]), *arguments[1:])
        return layer(*arguments, **keywords)

    whole = keras.applications.EfficientNetB0(weights=None, input_shape=(64, 64, 3), classes=10)
    again = clone_model(
        whole,
        call_function=call,
        clone_function=lambda layer: layer.__class__.from_config(layer.get_config()),
    )
    report = memory(again)
    assert finding(report).between == ("block4a_expand_conv", "block4a_expand_bn")
    assert reach_sentences(report) == [
        "from the input to block4a_expand_conv nothing learns: 41 of 131 layers, 1.9 % of the "
        "parameters"
    ]
