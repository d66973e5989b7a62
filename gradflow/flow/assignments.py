"""Find the variables that each call overwrites, and those whose values are only written there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gradflow.flow.graph import Edge, FlowGraph


class Rewritten(NamedTuple):
    """The variables that each call writes to as a whole, each with the node that does."""

    lost: Mapping[str, int]
    """Of their values no call leaves anything."""
    renewed: Mapping[str, int]
    """The new values are computed from the old ones."""


def rewritten(graph: FlowGraph, keys: Iterable[str]) -> Rewritten:
    """Find which of the variables ``keys`` each call writes to as a whole.

    A write in a branch does not count: it may not be run.
    """
    writers: dict[int, list[int]] = {}
    for assignment in graph.assignments:
        if assignment.is_whole and assignment.is_certain:
            writers.setdefault(assignment.variable, []).append(assignment.node)
    lost: dict[str, int] = {}
    renewed: dict[str, int] = {}
    for key in keys:
        nodes = writers.get(graph.variables.get(key, -1), [])
        losing = [node for node in nodes if not _keeps_old_value(graph, key, node)]
        if losing:
            lost[key] = losing[-1]
        elif nodes:
            renewed[key] = nodes[-1]
    return Rewritten(lost, renewed)


def feeding(graph: FlowGraph) -> Mapping[int, int]:
    """Return the nodes whose floating values are written to a variable, each with one node that
    writes them."""
    writers: dict[int, int] = {}
    todo: list[tuple[int, int]] = []
    for assignment in graph.assignments:
        for edge in range(graph.first[assignment.node], graph.first[assignment.node + 1]):
            if graph.kinds[edge] == Edge.CUT:
                todo.append((graph.sources[edge], assignment.node))
    while todo:
        node, writer = todo.pop()
        if node in writers:
            continue
        writers[node] = writer
        for edge in range(graph.first[node], graph.first[node + 1]):
            if graph.kinds[edge] not in (Edge.SHAPE, Edge.FILL, Edge.RESULT):
                todo.append((graph.sources[edge], writer))
    return writers


def _keeps_old_value(graph: FlowGraph, key: str, writer: int) -> bool:
    """Whether the variable's value from before the call leads to what is written to it."""
    variable = graph.variables[key]
    todo, seen = [writer], {writer}
    while todo:
        node = todo.pop()
        start = graph.first[node] + (node in graph.overwritten_reads)
        for edge in range(start, graph.first[node + 1]):
            source = graph.sources[edge]
            if graph.kinds[edge] in (Edge.SHAPE, Edge.FILL):
                continue
            if source == variable:
                return True
            if source not in seen:
                seen.add(source)
                todo.append(source)
    return False
