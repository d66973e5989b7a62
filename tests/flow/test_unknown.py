"""What is said of a graph with unknown ops holds whatever these ops do."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.analysis.unknown_ops import attribute_unknown
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder
from tests.examples import examples

KINDS = (Edge.FLOW, Edge.FLOW, Edge.CUT, Edge.ZERO, Edge.DISCRETE, Edge.UNKNOWN, Edge.UNKNOWN)
MAY_BE = (Edge.FLOW, Edge.CUT, Edge.ZERO)
"""What an op that nothing is known about can do."""
SIZE = 6


def verdict(attribution: Attribution) -> str:
    if attribution.cuts_to_restore == 0:
        return "flows"
    if not attribution.is_certain:
        return "unknown"
    return "zero" if attribution.zero_filled else "none"


def graph_of(edges: list[tuple[int, int, Edge]]) -> FlowGraph:
    builder = GraphBuilder()
    for node in range(SIZE):
        builder.node(f"n{node}", "Op")
    for source, consumer, kind in edges:
        builder.edge(source, consumer, kind)
    return builder.build({str(node): node for node in range(SIZE)}, [SIZE - 1])


def meanings(graph: FlowGraph) -> list[FlowGraph]:
    """The graph with each of its unknown edges as everything that it can be."""
    places = [number for number, kind in enumerate(graph.kinds) if kind == Edge.UNKNOWN]
    made = []
    for kinds in product(MAY_BE, repeat=len(places)):
        written = graph.kinds[:]
        for place, kind in zip(places, kinds, strict=True):
            written[place] = kind
        made.append(replace(graph, kinds=written))
    return made


EDGES = st.lists(
    st.tuples(st.integers(0, SIZE - 2), st.integers(1, SIZE - 1), st.sampled_from(KINDS)).filter(
        lambda edge: edge[0] < edge[1]
    ),
    max_size=8,
).filter(lambda edges: sum(kind is Edge.UNKNOWN for *_, kind in edges) <= 4)


@settings(max_examples=examples(100))
@given(EDGES)
def test_a_verdict_holds_whatever_the_unknown_ops_do(edges: list[tuple[int, int, Edge]]) -> None:
    graph = graph_of(edges)
    judged = attribute_unknown(graph)
    possible = [attribute(meaning) for meaning in meanings(graph)]
    for node, attribution in judged.items():
        verdicts = {verdict(attributions[node]) for attributions in possible}
        if verdict(attribution) != "unknown":
            assert verdicts == {verdict(attribution)}, (node, edges)


def test_zeros_behind_an_unknown_op_may_be_nothing() -> None:
    """x -> an unknown layer -> a sign -> the output."""
    edges = [(0, 1, Edge.UNKNOWN), (1, SIZE - 1, Edge.ZERO)]
    assert verdict(attribute_unknown(graph_of(edges))["0"]) == "unknown"
    assert verdict(attribute_unknown(graph_of(edges))["1"]) == "zero"
