"""Programs of SavedModels that grow with a number: nothing that reads one may take the square of
it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from gradflow.files.saved_model.schema import message


def _new() -> tuple[Any, Any]:
    saved = message("SavedModel")()
    return saved, saved.meta_graphs.add()


def _node(nodes: Any, name: str, op: str, *inputs: str, **attributes: bytes) -> Any:
    node = nodes.add(name=name, op=op)
    node.input.extend(inputs)
    for key, value in attributes.items():
        node.attr[key].s = value
    return node


def _function(graph: Any, name: str, *arguments: str) -> Any:
    function = graph.graph_def.library.function.add()
    function.signature.name = name
    for argument in arguments:
        function.signature.input_arg.add(name=argument)
    return function


def _call(nodes: Any, function: str, *inputs: str) -> None:
    _node(nodes, "call", "StatefulPartitionedCall", *inputs).attr["f"].func.name = function


def _asset(graph: Any, number: int) -> str:
    name = f"asset_{number}"
    _node(graph.graph_def.node, name, "Const")
    graph.asset_file_def.add(filename=f"{name}.txt").tensor_info.name = f"{name}:0"
    return name


def tables(size: int) -> Any:
    """Tables of TensorFlow 1, each filled from the variable that holds the path of an asset."""
    saved, graph = _new()
    nodes = graph.graph_def.node
    for index in range(size):
        asset, handle, name = _asset(graph, index), f"handle_{index}", f"table_{index}"
        _node(nodes, handle, "VarHandleOp", shared_name=handle.encode())
        _node(nodes, f"assign_{index}", "AssignVariableOp", handle, asset)
        _node(nodes, f"read_{index}", "ReadVariableOp", handle)
        _node(nodes, name, "HashTableV2")
        _node(nodes, f"fill_{index}", "InitializeTableFromTextFileV2", name, f"read_{index}")
    ends = [f"^{kind}_{index}" for kind in ("fill", "assign") for index in range(size)]
    _node(nodes, "start", "NoOp", *ends)
    graph.collection_def["saved_model_main_op"].node_list.value.append("start")
    return saved


def tables_by_arguments(size: int) -> Any:
    """Tables that a function fills from paths that it is called with."""
    saved, graph = _new()
    arguments = [f"path_{index}" for index in range(size)]
    body = _function(graph, "fill", *arguments).node_def
    for path in arguments:
        _node(body, f"fill_{path}", "InitializeTableFromTextFileV2", "table", path)
    _call(graph.graph_def.node, "fill", *[_asset(graph, 0)] * size)
    return saved


def savers(size: int) -> Any:
    """A saver of TensorFlow 1 that writes part by part."""
    saved, graph = _new()
    nodes, last = graph.graph_def.node, "path"
    _node(nodes, "path", "Const")
    for index in range(size):
        _node(nodes, f"save_{index}", "SaveV2", "path", f"^{last}")
        last = f"save_{index}"
    _node(nodes, "saved", "Identity", "path", f"^{last}")
    graph.saver_def.filename_tensor_name, graph.saver_def.save_tensor_name = "path:0", "saved:0"
    return saved


def savers_left_behind(size: int) -> Any:
    """Functions that write, and that nothing calls."""
    saved, graph = _new()
    for index in range(size):
        _node(_function(graph, f"saver_{index}_", "path").node_def, "save", "SaveV2", "path")
    return saved


def savers_on_a_device(size: int) -> Any:
    """The same, each of which a user can call."""
    saved = savers_left_behind(size)
    (graph,) = saved.meta_graphs
    graph.object_graph_def.nodes.add()
    for index in range(size):
        graph.object_graph_def.concrete_functions[f"saver_{index}_"].SetInParent()
    return saved


def restores(size: int) -> Any:
    """A function that reads each variable from a path of its own argument."""
    saved, graph = _new()
    arguments = [f"path_{index}" for index in range(size)]
    body = _function(graph, "restore", *arguments).node_def
    for path in arguments:
        _node(body, f"read_{path}", "RestoreV2", path)
    _node(graph.graph_def.node, "path", "Const")
    _call(graph.graph_def.node, "restore", *["path"] * size)
    graph.saver_def.filename_tensor_name, graph.saver_def.restore_op_name = "path:0", "call"
    return saved


def functions(size: int) -> Any:
    """Functions that call each other, at most a hundred deep."""
    saved, graph = _new()
    for index in range(size):
        body = _function(graph, f"function_{index}").node_def
        _node(body, "add", "AddV2", "a", "b")
        if index % 100:
            _call(body, f"function_{index - 1}", "add")
    return saved


def in_a_circle(size: int) -> Any:
    """Functions, each of which calls the next, and the last one the first."""
    saved, graph = _new()
    for index in range(size):
        _call(_function(graph, f"function_{index}").node_def, f"function_{(index + 1) % size}")
    return saved


def writes(size: int) -> Any:
    """Ops that the scan refuses."""
    saved, graph = _new()
    for index in range(size):
        _node(graph.graph_def.node, f"write_{index}", "WriteFile", "x")
    return saved


def a_chain(size: int) -> Any:
    """Ops, one after the other, up to an output."""
    saved, graph = _new()
    for index in range(size):
        _node(graph.graph_def.node, f"a/b/{index}", "AddV2", f"a/b/{index - 1}", "x")
    graph.signature_def["serving_default"].outputs["y"].name = f"a/b/{size - 1}:0"
    return saved


GROWING: Mapping[str, Callable[[int], Any]] = MappingProxyType(
    {
        make.__name__: make
        for make in (
            tables,
            tables_by_arguments,
            savers,
            savers_left_behind,
            savers_on_a_device,
            restores,
            functions,
            in_a_circle,
            writes,
            a_chain,
        )
    }
)
"""By name."""
REFUSED = {"writes": "op WriteFile", "in_a_circle": "without end"}
"""Words of the scan, where it refuses what is few already."""
