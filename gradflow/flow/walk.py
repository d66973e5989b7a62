"""Walk backwards from the outputs and count the cuts that are crossed.

Following an edge that flows costs 0, crossing a cut costs 1. A passage without floats (ints from
ArgMax on, floats again at OneHot) is one cut: entering it costs 1, the steps inside and the way out
cost 0. So each node has two states: reached over a floating tensor, and reached inside a passage.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise

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
Walk = tuple["array[int]", "array[int]"]
"""The distance of every state from the outputs, and the state that it was reached from."""


def walk(graph: FlowGraph, seeds: Sequence[int], late_seeds: Sequence[int]) -> Walk:
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


def repeated_cuts(graph: FlowGraph, distance: array[int]) -> list[int]:
    """Return the places with a cut at several of their copies."""
    copies: dict[int, int] = {}
    for node in range(len(graph)):
        is_left = distance[in_passage(node)] != UNREACHED
        kinds = {graph.kinds[edge] for edge in range(graph.first[node], graph.first[node + 1])}
        if kinds - {_FILL, _DISCRETE} if is_left else kinds - {_FLOW, _FILL, _DISCRETE}:
            copies[graph.places[node]] = copies.get(graph.places[node], 0) + 1
    return [place for place, count in copies.items() if count > 1]


def places_cut(graph: FlowGraph, start: State, via: array[int]) -> frozenset[int]:
    """Return the places of the file whose cuts are crossed on the way from a state to an output."""
    places = set()
    for source, consumer in pairwise(trail(start, via)):
        node = node_of(consumer)
        edges = range(graph.first[node], graph.first[node + 1])
        flows = not is_in_passage(consumer) and any(
            graph.sources[edge] == node_of(source) and graph.kinds[edge] == _FLOW for edge in edges
        )
        if not is_in_passage(source) and not flows:
            places.add(graph.place(node))
    return frozenset(places)


def walk_without(graph: FlowGraph, seeds: Sequence[int], removed: frozenset[int]) -> Walk:
    """As ``walk``, with the cuts at the places ``removed`` taken out.

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
