"""Find the first node of a kind on each of many paths, and follow once what they share."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import FlowGraph, Mark
from gradflow.flow.states import UNREACHED, State, node_of, over_floating
from gradflow.ops.families import BRANCHES, LOOPS

_UNKNOWN = -2
_IsWanted = Callable[[State, State], bool]
"""Whether a state is one, by itself and the state that it was reached from."""


class Nearest:
    """The nodes of one kind on the paths in a graph.

    The time grows with the graph, and not with the length of all paths together.
    """

    def __init__(self, is_wanted: _IsWanted) -> None:
        """Prepare to look for what ``is_wanted``."""
        self._is_wanted = is_wanted
        self._found: dict[int, tuple[array[int], array[int]]] = {}

    def node(self, attribution: Attribution) -> int | None:
        """Return the first wanted node from the variable to the output; None where there is none,
        or no way."""
        if attribution.cuts_to_restore is None:
            return None
        state = self._state(over_floating(attribution.node), attribution.via)
        return None if state == UNREACHED else node_of(state)

    def _state(self, start: State, via: array[int]) -> State:
        if id(via) not in self._found:
            self._found[id(via)] = via, array("i", [_UNKNOWN]) * len(via)
        _, found = self._found[id(via)]
        ahead, state = [], start
        while state != UNREACHED and found[state] == _UNKNOWN:
            if self._is_wanted(state, via[state]):
                found[state] = state
                break
            ahead.append(state)
            state = via[state]
        answer = UNREACHED if state == UNREACHED else found[state]
        for passed in ahead:
            found[passed] = answer
        return answer


def nearest_branch(graph: FlowGraph) -> Nearest:
    """Look for a cond or case, whose branch may not be taken."""

    def is_branch(state: State, _: State) -> bool:
        node = node_of(state)
        return graph.ops[node] in BRANCHES and not graph.marks[node] & Mark.GATE

    return Nearest(is_branch)


def nearest_loop(graph: FlowGraph) -> Nearest:
    """Look for a loop."""
    return Nearest(lambda state, _: graph.ops[node_of(state)] in LOOPS)


def nearest_end() -> Nearest:
    """Look for the output at which a path ends."""
    return Nearest(lambda _, after: after == UNREACHED)
