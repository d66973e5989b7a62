"""Find for every variable how far it is from gradient, which cuts hold it back, and its path.

One 0-1 walk answers for all variables.

The walk goes backwards from the outputs. Following an edge that flows costs 0, crossing a cut costs
1. A passage without floats (ints from ArgMax on, floats again at OneHot) is one cut: entering it
costs 1, the steps inside and the way out cost 0. So each node has two states: reached over a
floating tensor, and reached inside a passage. All steps are linear in the number of edges.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, islice

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

_FLOW, _DISCRETE, _FILL = int(Edge.FLOW), int(Edge.DISCRETE), int(Edge.FILL)
_MAX_WALKS, _MAX_EDGES = 256, 20_000_000
"""For the fewest places: sets of places that are tried, and edges that are followed for all of
them."""
_MEASURED = frozenset(
    {int(Edge.DEAD), int(Edge.UNTAKEN), int(Edge.NONFINITE), int(Edge.OVERWRITTEN)}
)


@dataclass(frozen=True, slots=True)
class Cut:
    """One place on the frontier where the data flows on and the gradient does not."""

    node: int
    """The op that passes no gradient; for a passage, the op that leaves the floating type."""
    kind: Edge
    """``CUT``, ``ZERO``, ``UNKNOWN``, ``DISCRETE`` for a passage without floats, or a
    measured kind."""
    reenters_at: int | None
    """For a passage: the op whose result is a float again; None where it ends in an output."""
    source: int | None = None
    """For a measured kind: the node that gets nothing, or NaN, from ``node``."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the graph says about one variable."""

    cuts_to_restore: int | None
    """Fewest cuts on a way to an output; 0 where gradient flows, None where there is no way."""
    causes: tuple[Cut, ...]
    """Every frontier cut that the variable's data reaches; empty where gradient flows."""
    zero_filled: bool
    """Where gradient does not flow: TensorFlow hands back zeros rather than None."""
    node: int
    via: array[int]
    """The state that each state was reached from, shared by all variables; ``path`` reads it."""

    @property
    def path(self) -> tuple[int, ...]:
        """Nodes from the variable to an output along the fewest cuts, both included; empty where
        there is no way.

        Followed when asked for: the paths of all variables together can be quadratic in the size of
        the graph.
        """
        if self.cuts_to_restore is None:
            return ()
        path: list[int] = []
        for state in trail(over_floating(self.node), self.via):
            if not path or node_of(state) != path[-1]:
                path.append(node_of(state))
        return tuple(path)


def attribute(graph: FlowGraph) -> Mapping[str, Attribution]:
    """Attribute every variable of ``graph``.

    Where no floating output is reached at all, a way to an integer, boolean or string output counts
    as one cut, and so
    does an op that asks for nothing but a shape: shapes are everywhere, and no weight is meant to
    act through them.
    """
    values = _Reading(_with_shapes(graph, Edge.FILL), discrete=False)
    readings = [values]
    is_incomplete = any(not values.reaches(node) for node in graph.variables.values())
    if is_incomplete and (graph.discrete_outputs or Edge.SHAPE in graph.kinds):
        readings.append(_Reading(_with_shapes(graph, Edge.CUT), discrete=True))
    filled = _zero_filled(graph)
    attributions = {}
    for key, node in graph.variables.items():
        reading = next((reading for reading in readings if reading.reaches(node)), values)
        steps, via = reading.distance[over_floating(node)], reading.via
        if steps > 1 and graph.places:
            steps, via = reading.fewest_places(node)
        attributions[key] = Attribution(
            cuts_to_restore=None if steps == UNREACHED else steps,
            causes=reading.causes(node, is_filled=bool(filled[node])) if steps else (),
            zero_filled=bool(steps and filled[node]),
            node=node,
            via=via,
        )
    return attributions


class _Reading:
    """One walk over a graph: how far each state is, the cuts of the frontier, and behind which of
    them each node is."""

    def __init__(self, graph: FlowGraph, *, discrete: bool) -> None:
        self._graph = graph
        self._discrete = discrete
        self._seeds = [over_floating(node) for node in graph.outputs]
        self._late = [in_passage(node) for node in graph.discrete_outputs] if discrete else []
        self.distance, self.via = _walk(graph, self._seeds, self._late)
        self._frontier = _frontier(graph, self.distance, self.via)
        self._behind = _cuts_behind(graph, self._frontier, self.distance[::2])
        self._sets: dict[int, tuple[Cut, ...]] = {}

    def reaches(self, node: int) -> bool:
        """Return whether the walk came to ``node`` over a floating tensor."""
        return self.distance[over_floating(node)] != UNREACHED

    def causes(self, node: int, *, is_filled: bool) -> tuple[Cut, ...]:
        """Return the frontier cuts at which the data of ``node`` first enters the region that gets
        gradient; variables of one layer stand behind the same ones.

        An op whose gradient is always zero borders that region. Where nothing at all arrives
        (``is_filled`` is false), the cut behind it that makes it so is a cause as well.
        """
        bits = self._behind.get(node, 0)
        if bits not in self._sets:
            self._sets[bits] = tuple(_members(self._graph, self._frontier, bits))
        causes = self._sets[bits]
        if is_filled or Edge.ZERO not in self._graph.kinds:
            return causes
        nodes = {cut.node for cut in causes}
        beyond = self._beyond_zeros.causes(node, is_filled=True)
        return (*causes, *(cut for cut in beyond if cut.node not in nodes))

    def fewest_places(self, node: int) -> tuple[int, array[int]]:
        """Return the cuts that are needed for ``node`` where the copies of an op in several calls
        of its function are one cut, and the way with so few."""
        state = over_floating(node)
        fewest, via = self.distance[state], self.via
        for count, walk in self._walks_with_places_removed:
            distance, origins = walk
            if distance[state] != UNREACHED and distance[state] + count < fewest:
                fewest, via = distance[state] + count, origins
        return fewest, via

    @cached_property
    def _beyond_zeros(self) -> _Reading:
        """Return the reading as if the ops whose gradient is always zero passed it on."""
        kinds = bytearray(self._graph.kinds).replace(bytes([Edge.ZERO]), bytes([Edge.FLOW]))
        return _Reading(replace(self._graph, kinds=kinds), discrete=self._discrete)

    @cached_property
    def _walks_with_places_removed(self) -> list[tuple[int, tuple[array[int], array[int]]]]:
        """Return walks with some of the repeated cuts removed, and at how many places."""
        repeated = _repeated_cuts(self._graph, self.distance)
        sets = [
            frozenset(places)
            for count in range(1, len(repeated) + 1)
            for places in islice(combinations(repeated, count), _MAX_WALKS)
        ]
        affordable = max(len(repeated), _MAX_EDGES // max(len(self._graph.sources), 1))
        return [
            (len(places), _walk_without(self._graph, [*self._seeds, *self._late], places))
            for places in sets[: min(_MAX_WALKS, affordable)]
        ]


def _with_shapes(graph: FlowGraph, kind: Edge) -> FlowGraph:
    """Return the graph with the ways on which nothing but a shape goes on taken for ``kind``."""
    if Edge.SHAPE not in graph.kinds:
        return graph
    return replace(graph, kinds=bytearray(graph.kinds).replace(bytes([Edge.SHAPE]), bytes([kind])))


def _walk(
    graph: FlowGraph, seeds: Sequence[int], late_seeds: Sequence[int]
) -> tuple[array[int], array[int]]:
    """Distance of every state from the outputs, and the state it was reached from."""
    first, sources, kinds = graph.first, graph.sources, graph.kinds
    distance = array("i", [UNREACHED]) * (2 * len(graph))
    via = array("i", [UNREACHED]) * (2 * len(graph))
    level = 0
    current = list(dict.fromkeys(seeds))
    for state in current:
        distance[state] = 0
    later = [(state, UNREACHED) for state in late_seeds]
    while current or later:
        for state in current:  # grows while it is walked: everything reachable at this distance
            node = state >> 1  # node_of, is_in_passage, over_floating and in_passage in line
            passage = state & 1
            for edge in range(first[node], first[node + 1]):
                kind = kinds[edge]
                if kind == _FILL:
                    continue
                target = 2 * sources[edge] + (1 if kind == _DISCRETE else 0)
                if distance[target] != UNREACHED:
                    continue
                if kind == _FLOW or passage:
                    distance[target] = level
                    via[target] = state
                    current.append(target)
                else:
                    later.append((target, state))
        level += 1
        current = []
        for state, origin in later:
            if distance[state] == UNREACHED:
                distance[state] = level
                via[state] = origin
                current.append(state)
        later = []
    return distance, via


def _repeated_cuts(graph: FlowGraph, distance: array[int]) -> list[int]:
    """Return the places with a cut at several of their copies."""
    copies: dict[int, int] = {}
    for node in range(len(graph)):
        is_left = distance[in_passage(node)] != UNREACHED
        kinds = {graph.kinds[edge] for edge in range(graph.first[node], graph.first[node + 1])}
        if kinds - {_FILL, _DISCRETE} if is_left else kinds - {_FLOW, _FILL, _DISCRETE}:
            copies[graph.places[node]] = copies.get(graph.places[node], 0) + 1
    return [place for place, count in copies.items() if count > 1]


def _walk_without(
    graph: FlowGraph, seeds: Sequence[int], removed: frozenset[int]
) -> tuple[array[int], array[int]]:
    """As ``_walk``, with the cuts at the places ``removed`` taken out.

    A passage counts where it leaves the floating type, for there stands its cut.
    """
    distance = array("i", [UNREACHED]) * (2 * len(graph))
    via = array("i", [UNREACHED]) * (2 * len(graph))
    level, current = 0, [(state, UNREACHED) for state in seeds]
    while current:
        later = []
        for state, origin in current:
            if distance[state] != UNREACHED:
                continue
            distance[state], via[state] = level, origin
            node = node_of(state)
            is_open = graph.places[node] in removed
            for edge in range(graph.first[node], graph.first[node + 1]):
                kind, source = graph.kinds[edge], graph.sources[edge]
                if kind == _FILL:
                    continue
                if kind == _DISCRETE:
                    current.append((in_passage(source), state))
                elif is_open or (kind == _FLOW and not is_in_passage(state)):
                    current.append((over_floating(source), state))
                else:
                    later.append((over_floating(source), state))
        level += 1
        current = later
    return distance, via


def _frontier(graph: FlowGraph, distance: array[int], via: array[int]) -> dict[Cut, list[int]]:
    """Return every cut between the region that gets gradient and the rest, with the nodes right
    behind it."""
    frontier: dict[Cut, list[int]] = {}
    first, sources, kinds = graph.first, graph.sources, graph.kinds
    floating = distance[::2]  # by node
    for node, in_region in enumerate(floating):
        reached = in_region == 0
        inside = distance[in_passage(node)] == 1  # a passage that starts at the region itself
        if not reached and not inside:
            continue
        behind = [
            (sources[edge], kinds[edge])
            for edge in range(first[node], first[node + 1])
            if floating[sources[edge]] != 0 and kinds[edge] != _DISCRETE and kinds[edge] != _FILL
        ]
        if not behind:
            continue
        if inside:
            frontier[Cut(node, Edge.DISCRETE, _reentry(via, in_passage(node)))] = [
                source for source, _ in behind
            ]
            continue
        for source, kind in behind:
            if kind in _MEASURED:
                frontier[Cut(node, Edge(kind), None, source)] = [source]
        rest = [(source, kind) for source, kind in behind if kind not in _MEASURED]
        if rest:  # an op that cuts one input and passes zeros to another is named for the cut
            kind = Edge(min({kind for _, kind in rest} - {Edge.ZERO}, default=Edge.ZERO))
            frontier[Cut(node, kind, None)] = [source for source, _ in rest]
    return frontier


def _reentry(via: array[int], state: State) -> int | None:
    """Return the node at which a passage ends: its result is a float; None at an output."""
    return next((node_of(step) for step in trail(state, via) if not is_in_passage(step)), None)


def _cuts_behind(
    graph: FlowGraph, frontier: Mapping[Cut, Sequence[int]], region: array[int]
) -> dict[int, int]:
    """For every node a bit set of the frontier cuts that its data reaches, not by way of a node of
    the ``region`` that gets gradient (distance 0)."""
    bits: dict[int, int] = {}
    for number, sources in enumerate(frontier.values()):
        for source in sources:
            bits[source] = bits.get(source, 0) | 1 << number
    order, has_loop = _consumers_first(graph, list(bits))
    variables = set(graph.variables.values())
    first, sources_of, kinds = graph.first, graph.sources, graph.kinds
    changed = True
    while changed:
        changed = False
        for node in order:
            cuts = bits.get(node, 0)
            for edge in range(first[node], first[node + 1]):
                if kinds[edge] == _FILL:
                    continue
                source = sources_of[edge]
                if region[source] == 0:
                    continue
                source_cuts = bits.get(source, 0)
                joined = source_cuts | cuts
                if joined != source_cuts:
                    # Equal sets share one object: a long chain costs one set, not one a node.
                    bits[source] = cuts if joined == cuts else joined
                    changed = has_loop
            if not has_loop and node not in variables:
                bits.pop(node, None)
    return bits


def _consumers_first(graph: FlowGraph, roots: Sequence[int]) -> tuple[list[int], bool]:
    """Return all nodes whose data reaches ``roots``, each before its sources where there is no
    loop; whether there is one."""
    first, sources, kinds = graph.first, graph.sources, graph.kinds
    new, open_, closed = 0, 1, 2
    mark = bytearray(len(graph))
    next_edge = graph.first[:]
    order: list[int] = []
    has_loop = False
    for root in roots:
        if mark[root] != new:
            continue
        mark[root] = open_
        stack = [root]
        while stack:
            node = stack[-1]
            edge = next_edge[node]
            if edge == first[node + 1]:
                mark[node] = closed
                order.append(node)
                stack.pop()
                continue
            next_edge[node] = edge + 1
            source = sources[edge]
            if kinds[edge] == _FILL or mark[source] == closed:
                continue
            if mark[source] == open_:
                has_loop = True
                continue
            mark[source] = open_
            stack.append(source)
    order.reverse()
    return order, has_loop


def _zero_filled(graph: FlowGraph) -> bytearray:
    """Return which nodes get a tensor at all, be it of zeros."""
    first, sources, kinds = graph.first, graph.sources, graph.kinds
    passes = {int(Edge.FLOW), int(Edge.ZERO), int(Edge.FILL)}
    filled = bytearray(len(graph))
    stack = [*graph.outputs, *graph.filled_outputs]
    for node in stack:
        filled[node] = 1
    while stack:
        node = stack.pop()
        for edge in range(first[node], first[node + 1]):
            source = sources[edge]
            if kinds[edge] in passes and not filled[source]:
                filled[source] = 1
                stack.append(source)
    return filled


def _members(graph: FlowGraph, cuts: Mapping[Cut, Sequence[int]], bits: int) -> list[Cut]:
    members = [cut for number, cut in enumerate(cuts) if bits >> number & 1]
    # Where the data goes on from an argument too, that a custom gradient gives its results nothing
    # is no cut.
    members = [cut for cut in members if cut.kind is not Edge.RESULT] or members
    # The copies of one op in several calls of its function are one cut.
    first = {(graph.place(cut.node), cut.kind): cut for cut in reversed(members)}
    return [cut for cut in members if first[graph.place(cut.node), cut.kind] is cut]
