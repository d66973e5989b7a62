"""A GraphDef laid out as a graph of gradient flow, without TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from gradflow.files.saved_model.schema import message
from gradflow.flow.attribute import attribute
from gradflow.flow.lower.graph_def import lower_graph
from gradflow.flow.lower.library import library_of

FLOAT = 1


def calling(op: str) -> Any:
    """The graph of ``y = double(v)``, where an op of type ``op`` calls the function."""
    graph = message("GraphDef")()
    graph.node.add(name="v", op="VarHandleOp").attr["dtype"].type = FLOAT
    graph.node.add(name="read", op="ReadVariableOp", input=["v"]).attr["dtype"].type = FLOAT
    call = graph.node.add(name="call", op=op, input=["read"])
    for types in ("Tin", "Tout"):
        call.attr[types].list.type.append(FLOAT)
    call.attr["f"].func.name = "double"
    graph.node.add(name="y", op="Identity", input=["call"]).attr["T"].type = FLOAT
    function = graph.library.function.add()
    function.signature.name = "double"
    function.signature.input_arg.add(name="x", type=FLOAT)
    function.signature.output_arg.add(name="sum", type=FLOAT)
    function.node_def.add(name="add", op="AddV2", input=["x", "x"]).attr["T"].type = FLOAT
    function.ret["sum"] = "add:z:0"
    return graph


@pytest.mark.parametrize("op", ["PartitionedCall", "StatefulPartitionedCall"])
def test_gradient_passes_through_a_call(op: str) -> None:
    graph = calling(op)

    assert (
        attribute(lower_graph(library_of(graph), graph, ["y:0"], {"v": "v"}))["v"].cuts_to_restore
        == 0
    )


@pytest.mark.parametrize("op", ["TPUPartitionedCall", "RemoteCall"])
def test_tensorflow_has_no_gradient_for_a_call_on_another_device(op: str) -> None:
    graph = calling(op)

    attribution = attribute(lower_graph(library_of(graph), graph, ["y:0"], {"v": "v"}))["v"]

    assert attribution.cuts_to_restore == 1
    assert len(attribution.causes) == 1
