"""Read the paths of many variables to the outputs, which share most of what they go through.

Each state of a walk leads to the one that it was reached from: the paths make a forest, whose roots
are the outputs. A path is asked for its ends, its length and what stands on it, and is not followed
for that. To go far in few steps, states have a jump besides: Myers, An applicative random-access
stack (Information Processing Letters 17, 1983).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

from gradflow.flow.states import UNREACHED, State, node_of


class SharedPaths:
    """The paths of one walk, and on each the nodes that are visible."""

    def __init__(self, via: array[int], is_visible: Callable[[int], bool]) -> None:
        """Prepare to read; ``via`` is the state that each state was reached from."""
        size = len(via)
        self._via = via
        self._is_visible = is_visible
        self._depth = array("i", [UNREACHED]) * size
        self._visible = array("i", [0]) * size
        self._next_visible = array("i", [UNREACHED]) * size
        self._jump = array("i", [UNREACHED]) * size

    def length(self, start: State) -> int:
        """Return how many visible nodes there are from ``start`` to the output."""
        self._measure(start)
        return self._visible[start]

    def depth(self, state: State) -> int:
        """Return how many steps a state on a path that was asked for is from the output."""
        return self._depth[state]

    def visible(self, start: State) -> Iterator[State]:
        """Yield the visible states from ``start`` to the output, a node once where it stands in two
        states."""
        self._measure(start)
        state = self._next_visible[start]
        while state != UNREACHED:
            yield state
            after = self._via[state]
            state = UNREACHED if after == UNREACHED else self._next_visible[after]

    def last(self, start: State, count: int) -> State:
        """Return the first state behind which, itself included, at most ``count`` visible ones
        are."""
        self._measure(start)
        state = start
        while self._visible[state] > count:
            jump = self._jump[state]
            state = jump if self._visible[jump] > count else self._via[state]
        return state

    def is_on(self, start: State, state: State) -> bool:
        """Return whether the path from ``start`` goes through ``state``."""
        self._measure(start)
        depth = self._depth[state]
        if depth == UNREACHED:
            return False
        while self._depth[start] > depth:
            jump = self._jump[start]
            start = jump if self._depth[jump] >= depth else self._via[start]
        return start == state

    def _measure(self, start: State) -> None:
        ahead = []
        while start != UNREACHED and self._depth[start] == UNREACHED:
            ahead.append(start)
            start = self._via[start]
        for state in reversed(ahead):
            self._measure_behind(state, self._via[state])

    def _measure_behind(self, state: State, after: State) -> None:
        is_root = after == UNREACHED
        counts = self._is_visible(node_of(state)) and (is_root or node_of(after) != node_of(state))
        self._depth[state] = 0 if is_root else self._depth[after] + 1
        self._visible[state] = counts + (0 if is_root else self._visible[after])
        if counts:
            self._next_visible[state] = state
        elif not is_root:
            self._next_visible[state] = self._next_visible[after]
        if is_root:
            self._jump[state] = state
            return
        jump = self._jump[after]
        is_pair = (
            self._depth[after] - self._depth[jump]
            == self._depth[jump] - self._depth[self._jump[jump]]
        )
        self._jump[state] = self._jump[jump] if is_pair else after
