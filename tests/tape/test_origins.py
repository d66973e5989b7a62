"""Where a cut stands: the user's line, and the Keras layer or keras.ops operation, as it was traced
and as exported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.findings import Cause, Report

pytestmark = pytest.mark.tensorflow

OWN = Path(__file__)


def at(marker: str) -> str:
    """The line of this file that ends with the comment ``marker``, as a report shows it."""
    lines = OWN.read_text(encoding="utf-8").splitlines()
    return (
        f"{OWN.name}:{1 + next(n for n, line in enumerate(lines) if line.endswith(f'# {marker}'))}"
    )


def causes(report: Report) -> dict[str, list[Cause]]:
    model = report.models[0]
    assert model.error is None
    return {variable.name: list(variable.causes) for variable in model.variables}


def module() -> Any:
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            for name in "abcdef":
                setattr(self, name, tf.Variable(tf.ones([3]), name=name))

        @tf.function
        def called(self, y):
            return tf.stop_gradient(y)  # called

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def serve(self, x):
            def body(step, y):
                positive = tf.reduce_sum(x) > 0.0
                z = tf.cond(positive, lambda: tf.stop_gradient(self.c), lambda: x[0])  # cond
                return step + 1, y + z * tf.round(self.d)  # loop

            y = tf.while_loop(lambda step, _: step < 3, body, (0, x * self.a))[1]
            if tf.reduce_sum(x) > 1e9:
                y = y + tf.round(self.e)  # autograph
            return y + self.called(self.b) + tf.stop_gradient(self.f)  # top

    return Module()


def _hold_lines(found: dict[str, list[Cause]]) -> None:
    lines = {name: [cause.source for cause in found[name]] for name in found}
    assert lines["b"] == [at("called")]
    assert lines["c"] == [at("cond")]
    assert lines["d"] == [at("loop")]
    assert lines["e"] == [at("autograph")]
    assert lines["f"] == [at("top")]


def test_the_line_of_a_cut_is_known_in_functions_branches_and_loops() -> None:
    _hold_lines(causes(gradflow.inspect(module(), entry="serve")))


def test_a_saved_model_brings_its_lines_in_its_debug_folder(tmp_path: Path) -> None:
    import tensorflow as tf

    saved = module()
    tf.saved_model.save(
        saved, str(tmp_path), options=tf.saved_model.SaveOptions(save_debug_info=True)
    )
    static = causes(gradflow.inspect(tmp_path, static=True))
    _hold_lines(static)
    _hold_lines(causes(gradflow.inspect(tmp_path)))
    (tmp_path / "debug" / "saved_model_debug_info.pb").write_bytes(b"\xff")
    without = causes(gradflow.inspect(tmp_path, static=True))
    assert {cause.source for found in without.values() for cause in found} == {None}
    assert [cause.op for cause in without["b"]] == [cause.op for cause in static["b"]]


def _model() -> Any:
    import keras
    import tensorflow as tf

    class Cut(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.stop_gradient(x)  # layer

    class Block(keras.layers.Layer):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.dense, self.cut = keras.layers.Dense(4, name="dense"), Cut(name="cut")

        def build(self, shape: Any) -> None:
            self.dense.build(shape)

        def call(self, x: Any) -> Any:
            return self.cut(self.dense(x))

    class Compiled(keras.layers.Layer):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.dense = keras.layers.Dense(4, name="dense")
            self.stop = tf.function(lambda x: tf.stop_gradient(x))  # compiled

        def call(self, x: Any) -> Any:
            return self.stop(self.dense(x))

    class Cell(keras.layers.Layer):
        state_size = output_size = 4

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.block = Block(name="block")

        def build(self, shape: Any) -> None:
            self.block.build(shape)

        def call(self, x: Any, states: Any, training: bool = False) -> Any:
            y = self.block(x) + states[0]
            return y, [y]

    def dense(name: str) -> Any:
        return keras.layers.Dense(4, name=name)

    x = keras.Input((4,), name="x")
    inner_x = keras.Input((4,))
    inner = keras.Model(inner_x, keras.ops.stop_gradient(dense("inside")(inner_x)), name="inner")
    shared = Cut(name="shared")
    paths = [
        keras.ops.stop_gradient(dense("by_operation")(x)),
        inner(x),
        Block(name="block")(x),
        keras.Sequential([dense("in_sequence"), Cut(name="cut")], name="sequence")(x),
        shared(dense("by_shared")(x)) + shared(2.0 * x),
        Compiled(name="compiled")(x),
        Compiled(name="compiled_1")(x),
        dense("alive")(x),
        keras.layers.RNN(Cell(name="cell"), name="rnn")(keras.layers.Reshape((2, 2))(x)),
    ]
    return keras.Model(x, keras.layers.Add()(paths))


def test_a_cut_in_a_keras_model_is_placed_in_its_layer_or_operation() -> None:
    model = _model()
    stops = [
        operation.name
        for operation in model.operations
        if type(operation).__name__ == "StopGradient"
    ]
    inner = [
        operation.name
        for operation in model.get_layer("inner").operations
        if "stop" in operation.name
    ]
    report = causes(gradflow.inspect(model))
    found = {name: (cause.layer, cause.source) for name, many in report.items() for cause in many}
    assert found["by_operation/kernel"] == (stops[0], None)
    assert found["inside/kernel"] == (inner[0], None)
    assert found["block/dense/kernel"] == ("block/cut", at("layer"))
    assert found["sequence/in_sequence/kernel"] == ("sequence/cut", at("layer"))
    assert found["by_shared/kernel"] == ("shared", at("layer"))
    assert found["compiled/dense/kernel"] == ("compiled", at("compiled"))
    assert found["compiled_1/dense/kernel"] == ("compiled_1", at("compiled"))
    assert found["rnn/cell/block/dense/kernel"] == ("rnn/cell/block/cut", at("layer"))


def test_noting_the_layers_changes_no_name_and_leaves_keras_and_tensorflow_as_they_were() -> None:
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.func_graph import FuncGraph

    from gradflow.flow.graph import Mark
    from gradflow.tape.load.keras3 import Keras3Model
    from gradflow.tape.trace import lower_trace

    before = FuncGraph._create_op_internal, keras.Operation.__call__, keras.layers.Layer.__call__
    model = _model()
    concrete = tf.function(
        lambda x: model(x, training=True), autograph=False
    ).get_concrete_function(tf.TensorSpec([4, 4]))
    loaded = Keras3Model(model, training=True)
    graph = lower_trace(loaded.trace([tf.zeros([4, 4])]), loaded.handles, ())
    plain = {node.name for node in concrete.graph.as_graph_def().node}
    assert graph is not None
    ops = zip(graph.names, graph.functions, graph.marks, strict=True)
    noted = {name for name, function, mark in ops if not function and not mark & Mark.GATE}
    assert noted - plain <= {"", "tensors_0"}
    assert before == (
        FuncGraph._create_op_internal,
        keras.Operation.__call__,
        keras.layers.Layer.__call__,
    )


@pytest.mark.parametrize("static", [True, False])
def test_an_exported_cut_is_placed_by_the_scopes_of_its_name(static: bool, tmp_path: Path) -> None:
    _model().export(str(tmp_path), verbose=False)
    report = causes(gradflow.inspect(tmp_path, static=static))
    found = {name: cause.layer for name, many in report.items() for cause in many}
    assert found["block/dense/kernel"] == "block/cut"
    assert found["sequence/in_sequence/kernel"] == "sequence/cut"
    assert found["by_shared/kernel"] == "shared"
    assert found["inside/kernel"] == "inner"
    assert found["rnn/cell/block/dense/kernel"] == "rnn/cell/block/cut"
    assert found["by_operation/kernel"] is None


def test_a_call_of_keras_ops_on_symbolic_tensors_is_told_by_its_line() -> None:
    import keras

    x = keras.Input((6,))
    h = keras.layers.Dense(4, name="first")(x)
    h = keras.ops.round(h)  # rounded
    h = keras.layers.Dense(4, name="second")(h)
    h = keras.ops.sign(h)  # signed
    h = keras.layers.Dense(4, name="third")(h)
    h = keras.ops.floor(h)  # floor one
    h = keras.layers.Dense(4, name="fourth")(h)
    h = keras.ops.floor(h)  # floor two
    model = keras.Model(x, keras.layers.Dense(1, name="end")(h))

    found = causes(gradflow.inspect(model))

    assert {cause.source for cause in found["fourth/kernel"]} == {at("floor two")}
    cut = keras.Model(x, model.get_layer("third").output)
    assert {cause.source for cause in causes(gradflow.inspect(cut))["first/kernel"]} >= {
        at("signed")
    }
    copied = keras.models.clone_model(cut)
    assert {cause.source for cause in causes(gradflow.inspect(copied))["first/kernel"]} == {None}


MAKERS = """
import keras

def end(h):
    return keras.layers.Dense(1, name="end")(h)

def a():
    x = keras.Input((6,))
    return keras.Model(x, end(keras.ops.ceil(keras.layers.Dense(4, name="first")(x))))

def b():
    x = keras.Input((6,))
    return keras.Model(x, end(keras.ops.ceil(keras.layers.Dense(4, name="first")(x))))

ALIAS
"""


@pytest.mark.parametrize(
    ("alias", "source"),
    [
        ("", "makers.py:9 or makers.py:13"),
        ("def c(ceil): return ceil * keras.ops.negative(ceil)", "makers.py:9 or makers.py:13"),
        ("c = lambda x: keras.ops.ceil(x)", "makers.py:9 or makers.py:13 or makers.py:15"),
        (
            "def c(x): return keras.ops.ceil(x) + keras.ops.ceil(x)",
            "makers.py:9 or makers.py:13 or makers.py:15",
        ),
        ("up = keras.ops.ceil", None),
        ("from keras import ops as K; up = [K.ceil]", None),
        ("\n".join(f"def f{n}(x): return keras.ops.ceil(x)" for n in range(3)), None),
    ],
)
def test_of_calls_in_several_functions_each_line_is_told_and_none_that_may_be_wrong(
    alias: str, source: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "makers.py").write_text(MAKERS.replace("ALIAS", alias))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "makers", raising=False)
    monkeypatch.setitem(globals(), "makers", importlib.import_module("makers"))

    for make in (makers.a, makers.b):  # type: ignore[name-defined]  # noqa: F821
        found = causes(gradflow.inspect(make()))
        assert {cause.source for cause in found["first/kernel"]} == {source}


def test_a_call_in_a_module_that_nobody_here_knows_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    (tmp_path / "stranger.py").write_text("import keras\n\ndef f(x): return keras.ops.ceil(x)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("stranger")
    names: dict[str, Any] = {"keras": keras}
    exec(
        "x = keras.Input((6,))\n"
        "h = keras.ops.ceil(keras.layers.Dense(4, name='first')(x))\n"
        "model = keras.Model(x, keras.layers.Dense(1, name='end')(h))\n",
        names,
    )

    found = causes(gradflow.inspect(names["model"]))

    assert {cause.source for cause in found["first/kernel"]} == {None}
