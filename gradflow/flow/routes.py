"""Follow a variable's way to an output, op by op, with every cut on it and what each holds back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from gradflow.flow.attribute import Attribution
from gradflow.flow.frontier import Cut, reentry_of
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.states import (
    UNREACHED,
    State,
    in_passage,
    is_in_passage,
    node_of,
    over_floating,
    trail,
)
from gradflow.lazy_dataclass import dataclass

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


def way(graph: FlowGraph, attribution: Attribution) -> tuple[Stop, ...]:
    """Return the nodes of ``attribution.path``, from the variable to the output, with as many cuts
    as ``cuts_to_restore`` says."""
    states = _states(attribution)
    crossed = {step + 1: _cut(graph, attribution, states, step) for step in range(len(states) - 1)}
    cuts = {step: cut for step, cut in crossed.items() if cut is not None}
    last = max(cuts, default=-1)
    stops: list[Stop] = []
    for step, state in enumerate(states):
        is_fed = step > last and not is_in_passage(state)
        stop = Stop(node_of(state), fed=is_fed, cut=cuts.get(step))
        if not stops or stops[-1].node != stop.node or stop.cut is not None:
            stops.append(stop)
    return tuple(stops)


def cuts_of_equal_ways(graph: FlowGraph, attribution: Attribution) -> tuple[Cut, ...]:
    """Return the cuts on all ways that have as few of them as ``attribution.path``, each place of
    the file once.

    They are the cuts of all repairs of that size. Empty where the copies of an op in several calls
    count once: then one way is known.
    """
    start, distance = over_floating(attribution.node), attribution.distance
    if not attribution.cuts_to_restore or distance[start] != attribution.cuts_to_restore:
        return ()
    consumers = _consumers(graph)
    cuts: dict[int, Cut] = {}
    seen, stack = {start}, [start]
    while stack:
        state = stack.pop()
        for edge, consumer in consumers.get(node_of(state), ()):
            for following, cost, cut in _crossings(graph, attribution, state, edge, consumer):
                if (
                    distance[following] == UNREACHED
                    or distance[following] + cost != distance[state]
                ):
                    continue
                if cut is not None:
                    cuts.setdefault(graph.place(consumer), cut)
                if following not in seen:
                    seen.add(following)
                    stack.append(following)
    named = {cause.node: cause for cause in attribution.causes}
    return tuple(named.get(cut.node, cut) for cut in sorted(cuts.values(), key=_by_node))


def _by_node(cut: Cut) -> int:
    return cut.node


def _consumers(graph: FlowGraph) -> Mapping[int, Sequence[tuple[int, int]]]:
    """Return for each node the edges that its data goes on by, and their consumers."""
    consumers: dict[int, list[tuple[int, int]]] = {}
    for node in range(len(graph)):
        for edge in _edges(graph, node):
            if graph.kinds[edge] not in (_NO_DATA, Edge.SHAPE):
                consumers.setdefault(graph.sources[edge], []).append((edge, node))
    return consumers


def _crossings(
    graph: FlowGraph, attribution: Attribution, state: State, edge: int, consumer: int
) -> Iterable[tuple[State, int, Cut | None]]:
    """Yield the states that an edge leads to from ``state``, how far that is, and the cut."""
    kind = Edge(graph.kinds[edge])
    if (kind is Edge.DISCRETE) != is_in_passage(state):
        return
    if kind is Edge.DISCRETE:
        yield over_floating(consumer), 1, None
        yield in_passage(consumer), 0, None
        return
    is_cut = kind is not Edge.FLOW
    yield over_floating(consumer), int(is_cut), Cut(consumer, kind, None) if is_cut else None
    inside = in_passage(consumer)
    yield inside, 0, Cut(consumer, Edge.DISCRETE, reentry_of(attribution.via, inside))


def held_edges(graph: FlowGraph, cut: Cut) -> Iterable[int]:
    """Yield the edges that ``cut`` holds the gradient back from, in all copies of its place."""
    for node in _copies(graph, cut.node):
        for edge in _edges(graph, node):
            kind = graph.kinds[edge]
            if kind not in _HOLDS_NOTHING and (kind != Edge.FLOW or cut.kind is Edge.DISCRETE):
                yield edge


def behind(graph: FlowGraph, cut: Cut) -> frozenset[str]:
    """Return the variables whose data goes through ``cut``, by the caller's key."""
    nodes = nodes_behind(graph, cut)
    return frozenset(key for key, node in graph.variables.items() if node in nodes)


def nodes_behind(graph: FlowGraph, cut: Cut) -> AbstractSet[int]:
    """Return the nodes whose data goes through ``cut``."""
    nodes = {graph.sources[edge] for edge in held_edges(graph, cut)}
    stack = list(nodes)
    while stack:
        for edge in _edges(graph, stack.pop()):
            source = graph.sources[edge]
            if graph.kinds[edge] != _NO_DATA and source not in nodes:
                nodes.add(source)
                stack.append(source)
    return nodes


def restored(graph: FlowGraph, stops: Sequence[Stop]) -> frozenset[str]:
    """Return the variables that get gradient once every cut on the way is removed, by the caller's
    key."""
    removed = {graph.place(stop.cut.node) for stop in stops if stop.cut is not None}
    seeds = [over_floating(node) for node in graph.outputs]
    if stops and stops[-1].node not in graph.outputs:  # the way ends in an output of integers
        seeds.append(in_passage(stops[-1].node))
    reached = set(seeds)
    stack = list(reached)
    while stack:
        state = stack.pop()
        node = node_of(state)
        for edge in _edges(graph, node):
            kind = graph.kinds[edge]
            if kind == Edge.DISCRETE:
                source = in_passage(graph.sources[edge])
            elif kind != _NO_DATA and (
                graph.place(node) in removed or (kind == Edge.FLOW and not is_in_passage(state))
            ):
                source = over_floating(graph.sources[edge])
            else:
                continue
            if source not in reached:
                reached.add(source)
                stack.append(source)
    return frozenset(key for key, node in graph.variables.items() if over_floating(node) in reached)


def _copies(graph: FlowGraph, node: int) -> Sequence[int]:
    """Return the nodes that stand for the same place of the file."""
    if not graph.places:
        return (node,)
    copies = [graph.place(node)]  # the first of them
    try:
        while True:
            copies.append(graph.places.index(copies[0], copies[-1] + 1))
    except ValueError:
        return copies


def _states(attribution: Attribution) -> list[State]:
    """Return the walk's states from the variable to the output; empty where there is no way."""
    if attribution.cuts_to_restore is None:
        return []
    return list(trail(over_floating(attribution.node), attribution.via))


def _cut(
    graph: FlowGraph, attribution: Attribution, states: Sequence[State], step: int
) -> Cut | None:
    """Return the cut after the state at ``step``, None where the gradient passes."""
    source, consumer = states[step : step + 2]
    if is_in_passage(source):
        return None  # a passage counts once, at the op that makes integers of floats
    node = node_of(consumer)
    kinds = {Edge(graph.kinds[edge]) for edge in _edges_between(graph, node_of(source), node)}
    if is_in_passage(consumer):
        later = (states[index] for index in range(step + 1, len(states)))
        back = next((node_of(state) for state in later if not is_in_passage(state)), None)
        crossed = Cut(node, Edge.DISCRETE, back)
    elif Edge.FLOW in kinds:
        return None
    else:
        crossed = Cut(node, min(kinds - {*_HOLDS_NOTHING, Edge.ZERO}, default=Edge.ZERO), None)
    # The same cut by the same name.
    return next((cause for cause in attribution.causes if cause.node == node), crossed)


def _edges_between(graph: FlowGraph, source: int, node: int) -> Iterable[int]:
    edge, end = graph.first[node], graph.first[node + 1]
    try:
        while True:
            edge = graph.sources.index(source, edge, end)
            yield edge
            edge += 1
    except ValueError:
        return


def _edges(graph: FlowGraph, node: int) -> Iterable[int]:
    return range(graph.first[node], graph.first[node + 1])
