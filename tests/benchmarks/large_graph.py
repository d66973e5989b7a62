"""Write a SavedModel of very many nodes: ``python -m tests.benchmarks.large_graph FOLDER SHAPE
NODES``.

TensorFlow saves one residual block; its function is then repeated in the file, since to trace a
million nodes would take TensorFlow far longer than to read them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

_BLOCK = 10
"""Nodes of a block: its variable and the nine ops of ``_template``."""
_TOWER = 100
"""Blocks of a tower."""
SHAPES = ("deep", "towers")


def write_saved_model(folder: Path, shape: str, nodes: int) -> None:
    """Write a model of about ``nodes`` nodes with a variable in every ten.

    ``deep``: one chain of blocks, and each of 16 among them cut. ``towers``: towers of 100 blocks
    that are added, a block of every second tower cut: the cuts grow with the graph.
    """
    _save_one_block(folder)
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    graph = saved.meta_graphs[0]
    [function] = (
        function
        for function in graph.graph_def.library.function
        if any(node.op == "MatMul" for node in function.node_def)
    )
    blocks = nodes // _BLOCK
    _repeat_variable(graph.object_graph_def, function.signature, blocks)
    _repeat_block(function, shape, blocks)
    path.write_bytes(saved.SerializeToString())


def _save_one_block(folder: Path) -> None:
    class Block(tf.Module):
        def __init__(self) -> None:
            self.w = tf.Variable(tf.eye(2), name="w")

        @tf.function(input_signature=[tf.TensorSpec((2, 2), tf.float32, name="x")])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            y = tf.matmul(x, self.w)
            for _ in range(6):
                y = tf.nn.relu(y)
            return x + y

    tf.saved_model.save(Block(), str(folder))


def _repeat_variable(objects: Any, signature: Any, blocks: int) -> None:
    """Give the object graph ``blocks`` variables, and the function an argument for each."""
    [number] = (index for index, node in enumerate(objects.nodes) if node.HasField("variable"))
    numbers = [number]
    for block in range(1, blocks):
        numbers.append(len(objects.nodes))
        objects.nodes.add().CopyFrom(objects.nodes[number])
        objects.nodes[-1].variable.name = f"w{block}"
        objects.nodes[0].children.add(node_id=numbers[-1], local_name=f"w{block}")
    concrete = objects.concrete_functions[signature.name]
    del concrete.bound_inputs[:]
    concrete.bound_inputs.extend(numbers)
    for block in range(1, blocks):
        signature.input_arg.add().CopyFrom(signature.input_arg[1])
        signature.input_arg[-1].name = f"w{block}"


def _repeat_block(function: Any, shape: str, blocks: int) -> None:
    """Repeat the nodes of the one block, whose names tell what it reads."""
    template = [node for node in function.node_def if node.op not in ("NoOp", "Identity")]
    rest = [_copy(node) for node in function.node_def if node.op in ("NoOp", "Identity")]
    [add] = (node.name for node in template if node.op == "AddV2")
    first, variable = (argument.name for argument in function.signature.input_arg[:2])
    copies, ends, source = [], [], first
    for block in range(blocks):
        if shape == "towers" and block % _TOWER == 0:
            source = first
        names = {first: source, variable: f"w{block}" if block else variable}
        for node in template:
            copy = _copy(node)
            copy.name = f"b{block}/{node.name}"
            is_cut = node.name == "Relu_2" and _is_cut(shape, block, blocks)
            copy.op = "StopGradient" if is_cut else node.op
            copy.input[:] = [names.get(name, f"b{block}/{name}") for name in node.input]
            copies.append(copy)
        source = f"b{block}/{add}:z:0"
        if block % _TOWER == _TOWER - 1:
            ends.append(source)
    if shape == "towers":
        total = node_def_pb2.NodeDef(name="total", op="AddN", input=ends or [source])
        total.attr["N"].i = len(total.input)
        total.attr["T"].type = tf.float32.as_datatype_enum
        rest.append(total)
        source = "total:sum:0"
    for node in rest:
        if node.op == "Identity":
            node.input[0] = source
        elif node.op == "NoOp":
            node.input[:] = [f"^b0/{name[1:]}" for name in node.input]
    del function.node_def[:]
    function.node_def.extend([*copies, *rest])


def _is_cut(shape: str, block: int, blocks: int) -> bool:
    if shape == "towers":
        return block % (2 * _TOWER) == _TOWER // 2
    return block % max(1, blocks // 16) == blocks // 32


def _copy(node: Any) -> Any:
    return type(node).FromString(node.SerializeToString())


if __name__ == "__main__":
    write_saved_model(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
