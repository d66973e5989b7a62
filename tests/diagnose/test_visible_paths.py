"""The paths that a report shows are those that following each path by itself gives."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.catalogue import entry
from gradflow.diagnose import visible_paths
from gradflow.diagnose.visible_paths import VisiblePaths, is_visible
from gradflow.findings import LEFT_OUT, Cause
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder


def _followed(
    graph: FlowGraph, attribution: Attribution, causes: Sequence[Cause], ends: int
) -> tuple[str, ...]:
    """Follow one path from start to end."""
    culprits = {cause.op for cause in causes}
    last = {graph.names[node]: node for node in attribution.path if graph.names[node] in culprits}
    nodes = [node for node in attribution.path if is_visible(graph, node) or node in last.values()]
    cuts = {cut.node for cut in attribution.causes}.union(
        node for node in nodes if graph.names[node] in culprits
    )
    path: list[str] = []
    for index, node in enumerate(nodes):
        is_end = index < ends or index >= len(nodes) - ends or len(nodes) <= 2 * ends
        if is_end or node in cuts:
            path.append(graph.names[node])
        elif path[-1] != LEFT_OUT:
            path.append(LEFT_OUT)
    return tuple(path)


def test_a_very_long_path_keeps_its_ends_and_its_cut() -> None:
    builder = GraphBuilder()
    nodes = [
        builder.node("w", "VarHandleOp"),
        *(builder.node(f"op{place}", "Relu") for place in range(5000)),
    ]
    cut = builder.node("middle", "StopGradient")
    nodes.insert(2500, cut)
    for source, consumer in pairwise(nodes):
        builder.edge(source, consumer, Edge.CUT if consumer == cut else Edge.FLOW)
    graph = builder.build({"w": nodes[0]}, [nodes[-1]])
    path = VisiblePaths(graph).names(attribute(graph)["w"], ())
    assert path[0] == "op0"
    assert path[-1] == "op4999"
    assert path.count(LEFT_OUT) == 2
    assert path[100:103] == (LEFT_OUT, "middle", LEFT_OUT)
    assert len(path) == 203


@given(st.data())
def test_any_graph(data: st.DataObject) -> None:
    """Nodes in the order of their edges, of all kinds; several have one name, as copies of a
    function have."""
    builder = GraphBuilder()
    kinds = st.sampled_from(["VarHandleOp", "Relu", "Identity", "While", "StopGradient", "AddV2"])
    ops = data.draw(st.lists(kinds, min_size=2, max_size=60))
    names = [f"{op}_{data.draw(st.integers(0, 9))}" for op in ops]
    nodes = [builder.node(name, op) for name, op in zip(names, ops, strict=True)]
    for number, node in enumerate(nodes[1:], 1):
        edge = data.draw(
            st.sampled_from([Edge.FLOW, Edge.FLOW, Edge.FLOW, Edge.CUT, Edge.DISCRETE])
        )
        near = data.draw(st.integers(max(0, number - 3), number - 1))
        builder.edge(nodes[near], node, edge)
    variables = {f"w{node}": node for node, op in zip(nodes, ops, strict=True) if op == ops[0]}
    graph = builder.build(variables, [nodes[-1], nodes[len(nodes) // 2]])
    places = data.draw(st.lists(st.sampled_from(names), max_size=3))
    causes = [entry("GF202").cause(op=name) for name in places]
    ends = data.draw(st.integers(1, 5))
    paths = VisiblePaths(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visible_paths, "_ENDS", ends)
        for attribution in attribute(graph).values():
            expected = _followed(graph, attribution, causes, ends)
            assert paths.names(attribution, causes) == expected
