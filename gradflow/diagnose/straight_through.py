"""Tell a StopGradient of a straight-through estimator, ``x + stop_gradient(q - x)``, from others.

What stands behind it in ``q`` is meant to get no gradient from there: removing the op would take
the gradient from ``x``.
"""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.flow.graph import Edge, FlowGraph
from gradflow.ops.families import SUMS

_PASSING = frozenset({"Identity", "Reshape", "Cast"})
_ADDS = SUMS | {"Sub", "AddN"}


def is_straight_through(graph: FlowGraph, op: str) -> bool:
    """Return whether the StopGradient called ``op`` stops a difference to which what was taken away
    is added again."""
    stops = graph.named(op)
    taken_away = {
        source
        for stop in stops
        for difference in _origins(graph, _data(graph, stop))
        if graph.ops[difference] == "Sub"
        for source in _origins(graph, _data(graph, difference)[1:])
    }
    if not taken_away:
        return False
    return any(
        taken_away & set(added := [*_origins(graph, _data(graph, node))])
        and not set(stops).isdisjoint(added)
        for node, kind in enumerate(graph.ops)
        if kind in _ADDS
    )


def _data(graph: FlowGraph, node: int) -> list[int]:
    """Return what a node takes, in the order of its inputs."""
    return [
        graph.sources[edge]
        for edge in range(graph.first[node], graph.first[node + 1])
        if graph.kinds[edge] != Edge.FILL
    ]


def _origins(graph: FlowGraph, nodes: Iterable[int]) -> list[int]:
    """Return where values come from that are only passed on."""
    origins: list[int] = []
    for node in nodes:
        current, seen = node, {node}
        while graph.ops[current] in _PASSING or not graph.names[current]:
            before = _data(graph, current)[:1]
            if not before or before[0] in seen:
                break
            current = before[0]
            seen.add(current)
        origins.append(current)
    return origins
