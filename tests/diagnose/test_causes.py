"""Causes and paths from hand-made evidence."""

from __future__ import annotations

from itertools import pairwise

from gradflow.diagnose.causes import visible_path
from gradflow.findings import LEFT_OUT
from gradflow.flow.attribute import attribute
from gradflow.flow.graph import Edge, GraphBuilder


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
    path = visible_path(graph, attribute(graph)["w"], ())
    assert path[0] == "op0"
    assert path[-1] == "op4999"
    assert path.count(LEFT_OUT) == 2
    assert path[100:103] == (LEFT_OUT, "middle", LEFT_OUT)
    assert len(path) == 203
