"""Name the ops on the way from a variable to the output, as people are shown it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import islice

from gradflow.findings import LEFT_OUT, Cause
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import FlowGraph
from gradflow.flow.shared_paths import SharedPaths
from gradflow.flow.states import State, in_passage, node_of, over_floating
from gradflow.ops.families import CONTROL_FLOW, VARIABLES

_ENDS = 100
"""Ops kept at either end of a long path."""
_PLUMBING = (CONTROL_FLOW | VARIABLES).union(
    "_Arg Placeholder ReadVariableOp Identity IdentityN Enter Exit NextIteration Switch "
    "Merge".split()
)


class VisiblePaths:
    """The paths in one graph. What they share is followed once: the time grows with the graph and
    with what is named, and not with the length of all paths together."""

    def __init__(self, graph: FlowGraph) -> None:
        """Prepare for the paths of ``graph``."""
        self._graph = graph
        self._shared: dict[int, tuple[array[int], SharedPaths]] = {}

    def names(self, attribution: Attribution, causes: Sequence[Cause]) -> tuple[str, ...]:
        """Return the names of the ops from the variable to the output, without those that only pass
        a value on and are no cause.

        Of a very long path the ends and the cuts stay, with ``...`` for what is left out: the full
        paths of all variables of a deep model would fill a hundred megabytes.
        """
        if attribution.cuts_to_restore is None:
            return ()
        graph, start = self._graph, over_floating(attribution.node)
        shared = self._paths(attribution.via)
        culprits = {cause.op for cause in causes if cause.op is not None}
        named = self._on_path(shared, start, (n for name in culprits for n in graph.named(name)))
        # Of a loop or branch that is a cause the last node stands in the path: there the gradient
        # comes in.
        last = {graph.names[node_of(state)]: state for state in named}.values()
        hidden = [state for state in last if not is_visible(graph, node_of(state))]
        cuts = self._on_path(shared, start, (cut.node for cut in attribution.causes))
        kept = {state for state in (*named, *cuts) if is_visible(graph, node_of(state))}
        kept.update(hidden)

        length = shared.length(start)
        ends = {*islice(shared.visible(start), 2 * _ENDS)}
        ends.update(shared.visible(shared.last(start, _ENDS)))
        path: list[str] = []
        total, position, before = length + len(hidden), -1, 0
        for state in sorted(kept | ends, key=shared.depth, reverse=True):
            index = length - shared.length(state) + before
            before += state in hidden
            is_end = index < _ENDS or index >= total - _ENDS or total <= 2 * _ENDS
            if is_end or state in kept:
                path += [LEFT_OUT] if index > position + 1 else []
                path.append(graph.names[node_of(state)])
                position = index
        return tuple(path)

    def _paths(self, via: array[int]) -> SharedPaths:
        if id(via) not in self._shared:
            paths = SharedPaths(via, lambda node: is_visible(self._graph, node))
            self._shared[id(via)] = via, paths
        return self._shared[id(via)][1]

    @staticmethod
    def _on_path(shared: SharedPaths, start: State, nodes: Iterable[int]) -> list[State]:
        """Return the states of ``nodes`` that a path goes through, in its order; the last one where
        it goes through both of a node."""
        states: dict[int, State] = {}
        for node in nodes:
            for state in (over_floating(node), in_passage(node)):
                is_later = node not in states or shared.depth(state) < shared.depth(states[node])
                if shared.is_on(start, state) and is_later:
                    states[node] = state
        return sorted(states.values(), key=shared.depth, reverse=True)


def is_visible(graph: FlowGraph, node: int) -> bool:
    """Return whether a node is one of the user's ops: one that does more than pass a value on."""
    return graph.ops[node] not in _PLUMBING
