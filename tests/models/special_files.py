"""SavedModels that no plain tf.function gives: a TensorFlow 1 graph, a frozen graph, an op of a
foreign library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

FOREIGN_OP = "ProdEnvMatA"
SIGNATURE = [tf.TensorSpec([None, 3], tf.float32, name="x")]


def _module(names: str) -> tuple[Any, list[tf.Variable]]:
    module = tf.Module()
    module.weights = [
        tf.Variable(tf.random.stateless_normal([3], [place, 1]), name=name)
        for place, name in enumerate(names)
    ]
    return module, module.weights


def save_frozen_graph(folder: Path) -> None:
    """All weights turned into constants: six numbers in two of them."""
    _, (a, b) = _module("ab")
    function = tf.function(
        lambda x: {"y": x * a + b}, input_signature=SIGNATURE
    ).get_concrete_function()
    frozen = tf.Module()
    frozen.serve = convert_variables_to_constants_v2(function)
    tf.saved_model.save(frozen, str(folder), signatures={"serving_default": frozen.serve})


def save_two_signatures(folder: Path) -> None:
    """The second signature uses ``b`` alone, the third no variable at all."""
    module, (a, b) = _module("ab")
    functions = {
        "serving_default": tf.function(lambda x: {"y": x * a}, input_signature=SIGNATURE),
        "other": tf.function(lambda x: {"y": x * b}, input_signature=SIGNATURE),
        "bare": tf.function(lambda x: {"y": x * 2.0}, input_signature=SIGNATURE),
    }
    module.functions = functions
    tf.saved_model.save(
        module, str(folder), {name: one.get_concrete_function() for name, one in functions.items()}
    )


def save_pipeline(kind: str, folder: Path) -> dict[str, str]:
    """Save a model that makes a tf.data pipeline in its function; return what a bare tape says."""
    module, (a, b) = _module("ab")

    def serve(x: tf.Tensor) -> tf.Tensor:
        if kind == "elements":
            pairs = tf.data.Dataset.from_tensors(x).enumerate().cache().repeat().take(2)
            _, x = next(iter(pairs))
            return x * a + b
        if kind == "iterated":
            total = tf.ones([3])
            for row in tf.data.Dataset.range(3).filter(lambda number: number > 0).batch(2):
                total += tf.reduce_sum(tf.cast(row, tf.float32))
            return x * a + total * b
        if kind == "reduced":
            rows = tf.data.Dataset.from_tensor_slices(x).map(lambda row: row * a)
            return b * rows.shuffle(4).prefetch(1).reduce(tf.zeros([3]), lambda sum, row: sum + row)
        mark = str(folder / "mark")
        words = (
            tf.data.TextLineDataset(mark)
            if kind == "lines"
            else tf.data.Dataset.range(2).cache(mark)
        )
        return x * a + b + words.reduce(0.0, lambda count, _: count + 1.0)

    module.serve = tf.function(serve, input_signature=SIGNATURE)
    entry = module.serve.get_concrete_function()
    tf.saved_model.save(module, str(folder), {"serving_default": entry})
    if kind in ("cached", "lines"):
        return {}
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(module.serve(tf.ones([4, 3])))
    gradients = tape.gradient(total, [a, b])
    return {
        name: "none" if gradient is None else "flows"
        for name, gradient in zip("ab", gradients, strict=True)
    }


def save_foreign_op(folder: Path) -> None:
    """``b`` stands behind an op type of a library that is not installed."""
    module, (a, b) = _module("ab")
    module.serve = tf.function(
        lambda x: x * a + tf.reduce_sum(tf.unique(b)[0]), input_signature=SIGNATURE
    )
    tf.saved_model.save(
        module, str(folder), {"serving_default": module.serve.get_concrete_function()}
    )
    path = folder / "saved_model.pb"
    file = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    meta_graph = file.meta_graphs[0]
    for function in meta_graph.graph_def.library.function:
        for node in function.node_def:
            node.op = FOREIGN_OP if node.op == "Unique" else node.op
    for op_def in meta_graph.meta_info_def.stripped_op_list.op:
        op_def.name = FOREIGN_OP if op_def.name == "Unique" else op_def.name
    path.write_bytes(file.SerializeToString())


def save_loop_of_tensorflow_1(folder: Path) -> dict[str, str]:
    """A TensorFlow 1 loop and condition, made of Enter, Switch and Merge; what ``tf.gradients``
    brings to each."""
    tf.compat.v1.disable_control_flow_v2()
    try:
        graph = tf.Graph()
        with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
            x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
            a, b, c = (tf.compat.v1.get_variable(name, [3], use_resource=True) for name in "abc")
            y = tf.while_loop(
                lambda step, _: step < 3,
                lambda step, y: (step + 1, y * a + tf.stop_gradient(b)),
                (0, x),
            )
            result = y[1] + tf.cond(tf.reduce_sum(x) > 0.0, lambda: x * c, lambda: x)
            session.run(tf.compat.v1.global_variables_initializer())
            signature = tf.compat.v1.saved_model.predict_signature_def({"x": x}, {"y": result})
            builder = tf.compat.v1.saved_model.Builder(str(folder))
            builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
            builder.save()
            gradients = tf.gradients(result, [a, b, c])
        return {
            name: "none" if one is None else "flows"
            for name, one in zip("abc", gradients, strict=True)
        }
    finally:
        tf.compat.v1.enable_control_flow_v2()
