"""A variable's Attribution in, its way to an output out, op by op, with every cut on it and what
each holds back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gradflow.flow.attribute import Attribution, Cut
from gradflow.flow.graph import Edge, FlowGraph

_NO_DATA = Edge.FILL
_HOLDS_NOTHING = (Edge.DISCRETE, Edge.FILL)


@dataclass(frozen=True, slots=True)
class Stop:
    """One op on the way."""

    node: int
    fed: bool
    """Gradient comes up to it from the output."""
    cut: Cut | None
    """The cut that the way crosses here."""


def way(graph: FlowGraph, found: Attribution) -> tuple[Stop, ...]:
    """The nodes of ``found.path``, from the variable to the output, with as many cuts as
    ``cuts_to_restore`` says."""
    states = _states(found)
    crossed = {place + 1: _cut(graph, found, states[place:]) for place in range(len(states) - 1)}
    cuts = {place: cut for place, cut in crossed.items() if cut is not None}
    last = max(cuts, default=-1)
    stops: list[Stop] = []
    for place, state in enumerate(states):
        stop = Stop(state >> 1, fed=place > last and not state & 1, cut=cuts.get(place))
        if not stops or stops[-1].node != stop.node or stop.cut is not None:
            stops.append(stop)
    return tuple(stops)


def behind(graph: FlowGraph, cut: Cut) -> frozenset[str]:
    """The variables whose data goes through ``cut``, by the caller's key."""
    held = set()
    for edge in _edges(graph, cut.node):
        kind = graph.kinds[edge]
        if kind not in _HOLDS_NOTHING and (kind != Edge.FLOW or cut.kind is Edge.DISCRETE):
            held.add(graph.sources[edge])
    stack = list(held)
    while stack:
        for edge in _edges(graph, stack.pop()):
            source = graph.sources[edge]
            if graph.kinds[edge] != _NO_DATA and source not in held:
                held.add(source)
                stack.append(source)
    return frozenset(key for key, node in graph.variables.items() if node in held)


def restored(graph: FlowGraph, stops: Sequence[Stop]) -> frozenset[str]:
    """The variables that get gradient once every cut on the way is removed, by the caller's key."""
    removed = {stop.cut.node for stop in stops if stop.cut is not None}
    seeds = [2 * node for node in graph.outputs]
    if stops and stops[-1].node not in graph.outputs:  # the way ends in an output of integers
        seeds.append(2 * stops[-1].node + 1)
    reached = set(seeds)
    stack = list(reached)
    while stack:
        state = stack.pop()
        node, passage = state >> 1, state & 1
        for edge in _edges(graph, node):
            kind = graph.kinds[edge]
            if kind == Edge.DISCRETE:
                source = 2 * graph.sources[edge] + 1
            elif kind != _NO_DATA and (node in removed or (kind == Edge.FLOW and not passage)):
                source = 2 * graph.sources[edge]
            else:
                continue
            if source not in reached:
                reached.add(source)
                stack.append(source)
    return frozenset(key for key, node in graph.variables.items() if 2 * node in reached)


def _states(found: Attribution) -> list[int]:
    """The walk's states (2 * node + passage) from the variable to the output; empty where there is
    no way."""
    if found.cuts_to_restore is None:
        return []
    states = [2 * found.node]
    while found.via[states[-1]] >= 0:
        states.append(found.via[states[-1]])
    return states


def _cut(graph: FlowGraph, found: Attribution, states: Sequence[int]) -> Cut | None:
    """The cut between the first two of ``states``, None where the gradient passes."""
    source, consumer = states[:2]
    if source & 1:
        return None  # inside a passage, which counts once, where it leaves floating point
    node = consumer >> 1
    kinds = {
        Edge(graph.kinds[edge])
        for edge in _edges(graph, node)
        if graph.sources[edge] == source >> 1
    }
    if consumer & 1:
        back = next((state >> 1 for state in states[1:] if not state & 1), None)
        crossed = Cut(node, Edge.DISCRETE, back)
    elif Edge.FLOW in kinds:
        return None
    else:
        crossed = Cut(node, min(kinds - {*_HOLDS_NOTHING, Edge.ZERO}, default=Edge.ZERO), None)
    # The same cut by the same name.
    return next((cause for cause in found.causes if cause.node == node), crossed)


def _edges(graph: FlowGraph, node: int) -> Iterable[int]:
    return range(graph.first[node], graph.first[node + 1])
