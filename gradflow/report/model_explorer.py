"""Write verdicts and gradients for Google's Model Explorer (ai-edge-model-explorer).

Of a SavedModel, this is node data: a value and a colour for each node of its graphs, to be loaded
beside the model. Of any other model it is a graph: its layers, in the same colours.
Source: node_data_builder.py and graph_builder.py of ai-edge-model-explorer 0.1.34.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gradflow.findings import (
    FlowMap,
    MapEdge,
    MapNode,
    Mode,
    ModelReport,
    NodeState,
    Report,
    Role,
    Variable,
)
from gradflow.report.layout import PLAIN, Layout
from gradflow.text import as_json, shown

COLORS = {
    NodeState.FLOWS: "#2e7d32",
    NodeState.NONE: "#c62828",
    NodeState.ZERO: "#d84315",
    NodeState.NONFINITE: "#6a1b9a",
    NodeState.FROZEN: "#1565c0",
    NodeState.MIXED: "#f9a825",
    NodeState.UNKNOWN: "#616161",
}
"""Of what has weights; the rest has the viewer's own color."""
_CUT = "#000000"


def render(report: Report, layout: Layout = PLAIN) -> str:
    """Return the JSON text: node data where a SavedModel was analysed, else graphs.

    A viewer shows one model at a time: of several SavedModels, what is in graphs of the same name
    stands under the name of the model as well.
    """
    mapped = [(model, model.map) for model in report.models if model.map is not None]
    data: dict[str, Any] = {}
    for model, flow_map in mapped:
        for graph, nodes in _node_data(model, flow_map).items():
            key = graph if graph not in data else f"{shown(model.path)}: {graph}"
            data[key] = nodes
    if data:
        return as_json(data) + "\n"
    graphs = [_graph(model, model.map or FlowMap((), ())) for model in report.models]
    return as_json([{"label": "gradflow", "graphs": graphs}]) + "\n"


def _node_data(model: ModelReport, flow_map: FlowMap) -> dict[str, Any]:
    """Return the data of each graph: the norm of the gradient as the value, the verdict as the
    color; of a static reading, 1 where gradient flows."""
    results: dict[str, dict[str, Any]] = {}
    variables = {item.name: item for item in model.variables if item.role is Role.WEIGHT}
    static = model.mode is Mode.STATIC
    for node in flow_map.nodes:
        if node.weights:
            for graph, number in node.viewer_ids:
                results.setdefault(graph, {})[number] = _result(node.norm, node.state, static)
    for name, (graph, number) in flow_map.handles:
        weight = variables[name]
        results.setdefault(graph, {})[number] = _result(_norm(weight), _state(weight), static)
    for edge in flow_map.edges:
        for graph, number in edge.viewer_ids:
            results.setdefault(graph, {})[number] = {"value": 0, "bgColor": _CUT}
    name = "gradient flows (gradflow, static)" if static else "gradient norm (gradflow)"
    return {graph: {"results": nodes, "name": name} for graph, nodes in results.items()}


def _result(norm: float | None, state: NodeState, static: bool) -> dict[str, Any]:
    value = float(state is NodeState.FLOWS) if static else norm
    return {"value": value or 0, "bgColor": COLORS[state]}


def _norm(weight: Variable) -> float | None:
    return None if weight.gradient is None else weight.gradient.norm


def _state(weight: Variable) -> NodeState:
    return NodeState(weight.verdict.value) if weight.trainable else NodeState.FROZEN


def _graph(model: ModelReport, flow_map: FlowMap) -> dict[str, Any]:
    """Return the map as a graph of the viewer: what holds others becomes a namespace."""
    holders = {node.parent for node in flow_map.nodes}
    names = {node.id: node.name for node in flow_map.nodes}
    spaces: dict[int | None, str] = {None: ""}
    for node in flow_map.nodes:
        outer, around = spaces[node.parent], names[node.parent] if node.parent is not None else ""
        own = shown(node.name.removeprefix(f"{around}/")).replace("/", "|")
        spaces[node.id] = f"{outer}/{own}" if outer else own
    coming: dict[int, list[MapEdge]] = {}
    for edge in flow_map.edges:
        coming.setdefault(edge.target, []).append(edge)
    nodes = [
        _graph_node(node, spaces[node.parent], coming.get(node.id, ()))
        for node in flow_map.nodes
        if node.id not in holders
    ]
    return {"id": shown(model.name or model.path), "nodes": nodes}


def _graph_node(node: MapNode, space: str, coming: Sequence[MapEdge]) -> dict[str, Any]:
    attributes = [{"key": key, "value": value} for key, value in _attributes(node, coming)]
    written: dict[str, Any] = {
        "id": str(node.id),
        "label": shown(node.name),
        "namespace": space,
        "attrs": attributes,
        "incomingEdges": [
            {"sourceNodeId": str(edge.source), "targetNodeInputId": str(number)}
            for number, edge in enumerate(coming)
        ],
    }
    color = COLORS.get(node.state)
    return written if color is None else {**written, "style": {"backgroundColor": color}}


def _attributes(node: MapNode, coming: Sequence[MapEdge]) -> Iterator[tuple[str, str]]:
    yield "class", shown(node.class_name or node.kind.value)
    yield "gradient", node.state.value
    for edge in coming:
        if edge.cuts:
            yield "gradient stops at", ", ".join(shown(op) for op in edge.cuts)
    if node.weights:
        yield "weights", str(node.weights)
        yield "parameters", str(node.parameters)
    if node.norm is not None:
        yield "gradient norm", f"{node.norm:.6g}"
