"""A FlowGraph and what arrived at its nodes in one real step in; out comes the graph with its
measured cuts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntFlag

from gradflow.flow.graph import Edge, FlowGraph, Mark
from gradflow.flow.lower.layout import NodeKey


class Arrived(IntFlag):
    """What one step brought to a tensor."""

    RUN = 1
    """Its op was run at all."""
    GRADIENT = 2
    """It got a gradient, be it of zeros."""
    SOMETHING = 4
    """Some entry is not 0."""
    NONFINITE = 8
    """Some entry is NaN or Inf."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one step brought to the nodes and edges of a graph."""

    nodes: bytearray
    """An ``Arrived`` each."""
    edges: Mapping[int, int]
    """What went over an edge, by its number, where that is known apart from what arrived at its
    ends."""


def seen(
    graph: FlowGraph,
    places: Mapping[NodeKey, int],
    nodes: Mapping[NodeKey, Arrived],
    edges: Mapping[tuple[NodeKey, int], Arrived],
) -> Seen:
    """Bring what was measured at places to the nodes that stand there."""
    found = bytearray(len(graph))
    for place, arrived in nodes.items():
        if places.get(place, -1) >= 0:
            found[places[place]] |= arrived
    over: dict[int, int] = {}
    for (place, number), arrived in edges.items():
        node = places.get(place)
        if node is not None and graph.first[node] + number < graph.first[node + 1]:
            edge = graph.first[node] + number
            over[edge] = over.get(edge, 0) | arrived
    return Seen(found, over)


def with_dead_ends(graph: FlowGraph, measured: Seen) -> FlowGraph:
    """Mark where gradient dies: a consumer that gets some hands only zeros on, or a branch was not
    run."""
    kinds = bytearray(graph.kinds)
    for node in range(len(graph)):
        idle = _is_idle_gate(graph, measured, node)
        alive = measured.nodes[node] & Arrived.SOMETHING
        if not alive and not idle:
            continue
        for edge in range(graph.first[node], graph.first[node + 1]):
            source = graph.sources[edge]
            if kinds[edge] != Edge.FLOW or _is_idle_gate(graph, measured, source):
                continue
            if graph.names[source] == graph.names[node] and _has_looped(graph, measured, node):
                kinds[edge] = Edge.OVERWRITTEN
            elif idle:
                kinds[edge] = Edge.UNTAKEN
            elif not measured.nodes[source] & Arrived.SOMETHING:
                kinds[edge] = Edge.DEAD
    return replace(graph, kinds=kinds)


def with_untaken_inputs(graph: FlowGraph, taken: Mapping[str, int]) -> FlowGraph:
    """Mark the inputs that the ``Merge`` ops of TensorFlow 1 did not pass on.

    Args:
        graph: of the model.
        taken: the number of the input that each passed on, by the op's name.
    """
    kinds = bytearray(graph.kinds)
    for node in range(len(graph)):
        if graph.ops[node] == "Merge" and graph.names[node] in taken:
            for number, edge in enumerate(range(graph.first[node], graph.first[node + 1])):
                if number != taken[graph.names[node]] and kinds[edge] == Edge.FLOW:
                    kinds[edge] = Edge.UNTAKEN
    return replace(graph, kinds=kinds)


def with_nonfinite_sources(graph: FlowGraph, measured: Seen) -> FlowGraph:
    """Mark where NaN or Inf is made: a consumer that gets a finite gradient hands on one that is
    not.

    What it hands on that is finite, to a tensor which gets NaN from another side, is no way that
    the NaN came.
    """
    kinds = bytearray(graph.kinds)
    for node in range(len(graph)):
        for edge in range(graph.first[node], graph.first[node + 1]):
            if (
                kinds[edge] != Edge.FLOW
                or not measured.nodes[graph.sources[edge]] & Arrived.NONFINITE
            ):
                continue
            own = measured.nodes[node]
            if not measured.edges.get(edge, own) & Arrived.NONFINITE:
                kinds[edge] = Edge.FILL
            elif not own & Arrived.NONFINITE:
                kinds[edge] = Edge.NONFINITE
    return replace(graph, kinds=kinds)


def _has_looped(graph: FlowGraph, measured: Seen, node: int) -> bool:
    """Whether ``node`` is the output of a loop that made a trip, so that the loop's body brought
    it."""
    sources = graph.sources[graph.first[node] : graph.first[node + 1]]
    return not graph.marks[node] & Mark.CARRIED and any(
        graph.marks[source] & Mark.GATE
        and measured.nodes[source] & Arrived.RUN
        and graph.names[source] == f"{graph.names[node]}/body"
        for source in sources
    )


def _is_idle_gate(graph: FlowGraph, measured: Seen, node: int) -> bool:
    return bool(graph.marks[node] & Mark.GATE) and not measured.nodes[node] & Arrived.RUN
