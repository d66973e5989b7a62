"""SavedModels of TensorFlow 1 that touch a marker file in ways that look like a saver's or an
exporter's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

Maker = Callable[[Path, str], None]
"""Makes the model in a folder; the second argument is the marker file."""
v1 = tf.compat.v1


def made(folder: Path, build: Callable[[], object], change: Callable[[Any], object]) -> None:
    """Save a graph of one weight, with what ``build`` adds to it and ``change`` makes of its
    MetaGraphDef."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        weight = v1.get_variable("weight", initializer=tf.ones([3, 2]), use_resource=True)
        y = tf.matmul(x, weight, name="y")
        build()
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        signature = v1.saved_model.signature_def_utils.predict_signature_def({"x": x}, {"y": y})
        saver = v1.train.Saver()
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, saver=saver
        )
        builder.save()
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(saved.meta_graphs[0])
    path.write_bytes(saved.SerializeToString())


def checkpoint(mark: str) -> tf.Operation:
    return tf.raw_ops.SaveV2(
        prefix=mark, tensor_names=["w"], shape_and_slices=[""], tensors=[tf.ones([2])]
    )


def saving(mark: str) -> Callable[[], object]:
    """Adds a call of a function that writes a checkpoint, as TensorFlow 2 has one for its saver."""

    @tf.function
    def save(x: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([checkpoint(mark)]):
            return tf.identity(x)

    return lambda: save(tf.constant(1.0))


def call_in(graph: Any) -> Any:
    """The call of the function, whose op of the op type SaveV2 or PrintV2 counts as its effect."""
    for function in graph.graph_def.library.function:
        act = next(node for node in function.node_def if node.op in ("SaveV2", "PrintV2"))
        function.control_ret["act"] = act.name
        function.signature.control_output[:] = ["act"]
    return next(node for node in graph.graph_def.node if node.op == "StatefulPartitionedCall")


def output(graph: Any, tensor: str) -> None:
    info = graph.signature_def["serving_default"].outputs["z"]
    info.name, info.dtype = tensor, tf.float32.as_datatype_enum
    info.tensor_shape.SetInParent()


def by_the_restoring(folder: Path, mark: str) -> None:
    """What restores the variables is a function that writes."""

    def change(graph: Any) -> None:
        call = call_in(graph)
        call.input.append("^" + graph.saver_def.restore_op_name)
        graph.saver_def.restore_op_name = call.name

    made(folder, saving(mark), change)


def by_the_saver_at_the_start(folder: Path, mark: str) -> None:
    """What is run after loading comes to the saver."""

    def change(graph: Any) -> None:
        call = call_in(graph)
        graph.saver_def.save_tensor_name = f"{call.name}:0"
        graph.graph_def.node.add(name="start", op="NoOp").input.append(f"^{call.name}")
        graph.collection_def["saved_model_main_op"].node_list.value.append("start")

    made(folder, saving(mark), change)


def by_the_saver_in_a_signature(folder: Path, mark: str) -> None:
    """An output of the model is what the saver makes of a file that it has written."""

    def change(graph: Any) -> None:
        graph.saver_def.save_tensor_name = f"{call_in(graph).name}:0"
        output(graph, graph.saver_def.save_tensor_name)

    made(folder, saving(mark), change)


def behind_a_sparse_output(folder: Path, mark: str) -> None:
    """An output has three tensors, the first of which comes after a file is written."""

    def build() -> None:
        with tf.control_dependencies([checkpoint(mark)]):
            tf.constant([1.0], name="values")
        tf.constant([[0]], tf.int64, name="indices")
        tf.constant([1], tf.int64, name="size")

    def change(graph: Any) -> None:
        info = graph.signature_def["serving_default"].outputs["z"]
        info.dtype = tf.float32.as_datatype_enum
        info.coo_sparse.values_tensor_name = "values:0"
        info.coo_sparse.indices_tensor_name = "indices:0"
        info.coo_sparse.dense_shape_tensor_name = "size:0"

    made(folder, build, change)


def to_a_file_that_the_caller_names(folder: Path, mark: str) -> None:
    """A function prints to stderr, as far as its own nodes tell; its caller fills in where to."""

    @tf.function
    def tell(x: tf.Tensor) -> tf.Tensor:
        tf.print("x", output_stream=f"file://{mark}")
        return tf.identity(x)

    def change(graph: Any) -> None:
        call = call_in(graph)
        (function,) = graph.graph_def.library.function
        function.signature.attr.add(name="stream", type="string")
        node = next(one for one in function.node_def if one.op == "PrintV2")
        node.attr["output_stream"].placeholder = "stream"
        call.attr["f"].func.attr["stream"].s = f"file://{mark}".encode()
        output(graph, f"{call.name}:0")

    made(folder, lambda: tell(tf.constant(1.0)), change)


HARMFUL: Mapping[str, Maker] = MappingProxyType(
    {
        one.__name__: one
        for one in (
            by_the_restoring,
            by_the_saver_at_the_start,
            by_the_saver_in_a_signature,
            behind_a_sparse_output,
            to_a_file_that_the_caller_names,
        )
    }
)
"""By name; each touches its marker where TensorFlow alone loads and runs it in a session."""
