"""Find for every variable how far it is from gradient, which cuts hold it back, and its path.

One 0-1 walk answers for all variables. All steps are linear in the number of edges.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations, islice

from gradflow.flow.frontier import Cut, cuts_behind, distinct_cuts, frontier_of
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.states import UNREACHED, in_passage, node_of, over_floating, trail
from gradflow.flow.walk import Walk, places_cut, repeated_cuts, walk, walk_without
from gradflow.lazy_dataclass import dataclass

_MAX_WALKS, _MAX_EDGES = 256, 20_000_000
"""For the fewest places: sets of places that are tried, and edges that are followed for all of
them."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the graph says about one variable."""

    cuts_to_restore: int | None
    """Fewest cuts on a way to an output; 0 where gradient flows, None where there is no way."""
    causes: tuple[Cut, ...]
    """Every frontier cut at which the variable's data first enters the region that gets gradient;
    empty where gradient flows."""
    zero_filled: bool
    """Where gradient does not flow: TensorFlow hands back zeros rather than None."""
    node: int
    via: array[int]
    """The state that each state was reached from, shared by all variables; ``path`` reads it."""
    distance: array[int]
    """Of every state from the outputs, with as many steps as there are cuts; shared as well."""
    is_certain: bool = True
    """False where it depends on what an unknown op does."""

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
    filled = graph.given_gradient([*graph.outputs, *graph.filled_outputs])
    attributions = {}
    for key, node in graph.variables.items():
        reading = next((reading for reading in readings if reading.reaches(node)), values)
        steps, via = reading.distance[over_floating(node)], reading.via
        if steps > 1 and graph.places:
            steps, via = reading.fewest_places(node)
        attributions[key] = Attribution(
            cuts_to_restore=None if steps == UNREACHED else steps,
            causes=reading.in_some_repair(node, reading.causes(node, is_filled=bool(filled[node])))
            if steps
            else (),
            zero_filled=bool(steps and filled[node]),
            node=node,
            via=via,
            distance=reading.distance,
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
        self.distance, self.via = walk(graph, self._seeds, self._late)
        frontier = frontier_of(graph, self.distance, self.via)
        self._frontier = tuple(frontier)
        self._behind = cuts_behind(graph, frontier, self.distance)
        self._sets: dict[int, tuple[Cut, ...]] = {}
        self._walks: dict[frozenset[int], Walk] = {}

    def reaches(self, node: int) -> bool:
        """Return whether the walk came to ``node`` over a floating tensor."""
        return self.distance[over_floating(node)] != UNREACHED

    def causes(self, node: int, *, is_filled: bool) -> tuple[Cut, ...]:
        """Return the frontier cuts at which the data of ``node`` first enters the region that gets
        gradient; variables of one layer stand behind the same ones.

        An op whose gradient is always zero borders that region. Where nothing at all arrives
        (``is_filled`` is false), the cut behind it that makes it so is a cause as well.
        """
        bits = self._behind.get(over_floating(node), 0)
        if bits not in self._sets:
            self._sets[bits] = tuple(distinct_cuts(self._graph, self._frontier, bits))
        causes = self._sets[bits]
        if is_filled or not self._has_zeros:
            return causes
        nodes = {cut.node for cut in causes}
        beyond = self._beyond_zeros.causes(node, is_filled=True)
        return (*causes, *(cut for cut in beyond if cut.node not in nodes))

    def in_some_repair(self, node: int, causes: tuple[Cut, ...]) -> tuple[Cut, ...]:
        """Return those of ``causes`` that stand in a repair of which no place can be spared.

        The data of one may come by a copy of another alone, in an earlier call of their function:
        to open that other one is then enough.
        """
        place_of = self._graph.place
        if len(causes) < 2 or all(place_of(cut.node) not in self._copied for cut in causes):
            return causes
        enough = frozenset(
            place_of(cut.node)
            for cut in causes
            if (opened := self._walk_without(frozenset({place_of(cut.node)}))) is not None
            and opened[0][over_floating(node)] == 0
        )
        if not enough:
            return causes
        left = {cut.node for cut in self._blocked(enough, causes).causes(node, is_filled=True)}
        return tuple(cut for cut in causes if place_of(cut.node) in enough or cut.node in left)

    def _blocked(self, places: frozenset[int], causes: Sequence[Cut]) -> _Reading:
        """Return the reading as if no data went on over those of ``causes`` that stand at
        ``places``."""
        graph, kinds = self._graph, bytearray(self._graph.kinds)
        leaving = {graph.place(cut.node) for cut in causes if cut.kind is Edge.DISCRETE}
        for node in range(len(graph)):
            if graph.place(node) in places:
                for edge in range(graph.first[node], graph.first[node + 1]):
                    if kinds[edge] != Edge.FLOW or graph.place(node) in leaving:
                        kinds[edge] = Edge.FILL
        return _Reading(replace(graph, kinds=kinds), discrete=self._discrete)

    @cached_property
    def _copied(self) -> frozenset[int]:
        """The places that stand in the graph several times."""
        counts = Counter(self._graph.places)
        return frozenset(place for place, count in counts.items() if count > 1)

    def fewest_places(self, node: int) -> tuple[int, array[int]]:
        """Return the cuts that are needed for ``node`` where the copies of an op in several calls
        of its function are one cut, and the way with so few."""
        state = over_floating(node)
        via, places = self.via, places_cut(self._graph, state, self.via)
        for _, origins in self._walks_with_places_removed:
            crossed = places_cut(self._graph, state, origins)
            if origins[state] != UNREACHED and len(crossed) < len(places):
                via, places = origins, crossed
        # There may be too many sets of places for all of them: from one way to a better one.
        while (further := self._walk_without(places)) is not None:
            crossed = places_cut(self._graph, state, further[1])
            if len(crossed) >= len(places):
                break
            via, places = further[1], crossed
        return len(places), via

    def _walk_without(self, places: frozenset[int]) -> Walk | None:
        """Return the walk with the cuts at some places removed; None where it would be too much."""
        if places not in self._walks:
            if len(self._walks) * len(self._graph.sources) > _MAX_EDGES:
                return None
            self._walks[places] = walk_without(self._graph, [*self._seeds, *self._late], places)
        return self._walks[places]

    @cached_property
    def _has_zeros(self) -> bool:
        return Edge.ZERO in self._graph.kinds

    @cached_property
    def _beyond_zeros(self) -> _Reading:
        """Return the reading as if the ops whose gradient is always zero passed it on."""
        kinds = bytearray(self._graph.kinds).replace(bytes([Edge.ZERO]), bytes([Edge.FLOW]))
        return _Reading(replace(self._graph, kinds=kinds), discrete=self._discrete)

    @cached_property
    def _walks_with_places_removed(self) -> list[Walk]:
        """Return walks with some of the repeated cuts removed."""
        repeated = repeated_cuts(self._graph, self.distance)
        sets = [frozenset(repeated)] + [
            frozenset(places)
            for count in range(1, len(repeated))
            for places in islice(combinations(repeated, count), _MAX_WALKS)
        ]
        affordable = max(len(repeated), _MAX_EDGES // max(len(self._graph.sources), 1))
        return [
            walk_without(self._graph, [*self._seeds, *self._late], places)
            for places in sets[: min(_MAX_WALKS, affordable)]
        ]


def _with_shapes(graph: FlowGraph, kind: Edge) -> FlowGraph:
    """Return the graph with the ways on which nothing but a shape goes on taken for ``kind``."""
    if Edge.SHAPE not in graph.kinds:
        return graph
    return replace(graph, kinds=bytearray(graph.kinds).replace(bytes([Edge.SHAPE]), bytes([kind])))
