"""Mark in a FlowGraph where one real step lost the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import IntFlag

from gradflow.flow.graph import Edge, FlowGraph, Mark
from gradflow.flow.lower.layout import NodeKey
from gradflow.lazy_dataclass import dataclass


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
class Arrivals:
    """What one step brought to the nodes and edges of a graph."""

    nodes: bytearray
    """An ``Arrived`` each."""
    edges: Mapping[int, int]
    """What went over an edge, by its number, where that is known apart from what arrived at its
    ends."""


def arrivals_of(
    graph: FlowGraph,
    nodes_by_key: Mapping[NodeKey, int],
    by_key: Mapping[NodeKey, Arrived],
    edges: Mapping[tuple[NodeKey, int], Arrived],
) -> Arrivals:
    """Bring what was measured of the ops of a replay to the nodes that stand for them."""
    by_node = bytearray(len(graph))
    for key, arrived in by_key.items():
        if nodes_by_key.get(key, -1) >= 0:
            by_node[nodes_by_key[key]] |= arrived
    over: dict[int, int] = {}
    for (key, number), arrived in edges.items():
        node = nodes_by_key.get(key)
        if node is not None and graph.first[node] + number < graph.first[node + 1]:
            edge = graph.first[node] + number
            over[edge] = over.get(edge, 0) | arrived
    return Arrivals(by_node, over)


def with_dead_ends(graph: FlowGraph, arrivals: Arrivals) -> FlowGraph:
    """Mark where gradient dies: a consumer that gets some hands only zeros on, or a branch was not
    run."""
    kinds = bytearray(graph.kinds)
    for node in range(len(graph)):
        idle = _is_idle_gate(graph, arrivals, node)
        alive = arrivals.nodes[node] & Arrived.SOMETHING
        if not alive and not idle:
            continue
        for edge in range(graph.first[node], graph.first[node + 1]):
            source = graph.sources[edge]
            if kinds[edge] != Edge.FLOW or _is_idle_gate(graph, arrivals, source):
                continue
            if graph.names[source] == graph.names[node] and _has_looped(graph, arrivals, node):
                kinds[edge] = Edge.OVERWRITTEN
            elif idle:
                kinds[edge] = Edge.UNTAKEN
            elif not arrivals.nodes[source] & Arrived.SOMETHING:
                kinds[edge] = Edge.DEAD
    return replace(graph, kinds=kinds)


def as_it_ran(graph: FlowGraph, ran: FlowGraph, arrivals: Arrivals) -> FlowGraph:
    """Return ``graph`` without the ways on which no data went: through branches that were not
    taken, and from initial values that the first trip of a loop overwrites.

    Args:
        graph: of the model.
        ran: the graph of the call that was run, which may be another than that of the file.
        arrivals: what the run brought to the nodes of ``ran``.
    """
    idle, taken, looped = set[str](), set[str](), set[str]()
    for node in range(len(ran)):
        if ran.marks[node] & Mark.GATE:
            (idle if _is_idle_gate(ran, arrivals, node) else taken).add(ran.names[node])
        if _has_looped(ran, arrivals, node):
            looped.add(ran.names[node])
    idle -= taken  # a function can be called several times
    kinds = bytearray(graph.kinds)
    for node in range(len(graph)):
        name, is_gate = graph.names[node], bool(graph.marks[node] & Mark.GATE)
        ends_loop = name in looped and not graph.marks[node] & Mark.CARRIED
        for edge in range(graph.first[node], graph.first[node + 1]):
            if (is_gate and name in idle) or (
                ends_loop and graph.names[graph.sources[edge]] == name
            ):
                kinds[edge] = Edge.FILL
    return replace(graph, kinds=kinds)


def without_branches(graph: FlowGraph) -> FlowGraph:
    """Return ``graph`` with those ways alone that every run takes: none through a branch, and none
    through a loop, be it by its body or by an initial value."""
    kinds = bytearray(graph.kinds)
    for node in range(len(graph)):
        is_brought = any(
            graph.marks[source] & Mark.GATE
            for source in graph.sources[graph.first[node] : graph.first[node + 1]]
        )
        if is_brought:
            for edge in range(graph.first[node], graph.first[node + 1]):
                kinds[edge] = Edge.FILL
    return replace(graph, kinds=kinds)


def with_dead_ops(graph: FlowGraph, alive: Mapping[str, bool]) -> FlowGraph:
    """Mark where gradient dies, as far as it is known of some ops whether any that is not zero
    arrives at their outputs.

    Args:
        graph: of the model.
        alive: by the op's name.
    """
    kinds = bytearray(graph.kinds)
    for node in range(len(graph)):
        if not alive.get(graph.names[node], False):
            continue
        for edge in range(graph.first[node], graph.first[node + 1]):
            source = graph.names[graph.sources[edge]]
            if kinds[edge] == Edge.FLOW and not alive.get(source, True):
                kinds[edge] = Edge.DEAD
    return replace(graph, kinds=kinds)


def with_untaken_inputs(graph: FlowGraph, passed_on: Mapping[str, int]) -> FlowGraph:
    """Mark the inputs that the ``Merge`` ops of TensorFlow 1 did not pass on.

    Args:
        graph: of the model.
        passed_on: the number of the input that each passed on, by the op's name.
    """
    kinds = bytearray(graph.kinds)
    for node in range(len(graph)):
        if graph.ops[node] == "Merge" and graph.names[node] in passed_on:
            for number, edge in enumerate(range(graph.first[node], graph.first[node + 1])):
                if number != passed_on[graph.names[node]] and kinds[edge] == Edge.FLOW:
                    kinds[edge] = Edge.UNTAKEN
    return replace(graph, kinds=kinds)


def with_nonfinite_sources(graph: FlowGraph, arrivals: Arrivals) -> FlowGraph:
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
                or not arrivals.nodes[graph.sources[edge]] & Arrived.NONFINITE
            ):
                continue
            own = arrivals.nodes[node]
            if not arrivals.edges.get(edge, own) & Arrived.NONFINITE:
                kinds[edge] = Edge.FILL
            elif not own & Arrived.NONFINITE:
                kinds[edge] = Edge.NONFINITE
    return replace(graph, kinds=kinds)


def _has_looped(graph: FlowGraph, arrivals: Arrivals, node: int) -> bool:
    """Return whether ``node`` is the output of a loop that made a trip, so that the loop's body
    brought it."""
    sources = graph.sources[graph.first[node] : graph.first[node + 1]]
    return not graph.marks[node] & Mark.CARRIED and any(
        graph.marks[source] & Mark.GATE
        and arrivals.nodes[source] & Arrived.RUN
        and graph.names[source] == f"{graph.names[node]}/body"
        for source in sources
    )


def _is_idle_gate(graph: FlowGraph, arrivals: Arrivals, node: int) -> bool:
    return bool(graph.marks[node] & Mark.GATE) and not arrivals.nodes[node] & Arrived.RUN
