"""Number the two states in which the walk from the outputs can be at a node.

It is there over a floating tensor, or inside a passage: behind an op such as ArgMax, where the data
is integers. An array with one entry a state has twice as many entries as there are nodes.

The inner loop of ``walk.walk`` calculates the same in line, without a call for each edge.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

State = int
UNREACHED = -1
"""In an array of distances, or of the states that others were reached from."""


def over_floating(node: int) -> State:
    """Return the state in which ``node`` is reached over a floating tensor."""
    return 2 * node


def in_passage(node: int) -> State:
    """Return the state in which ``node`` is reached inside a passage."""
    return 2 * node + 1


def node_of(state: State) -> int:
    """Return the node of a state."""
    return state >> 1


def is_in_passage(state: State) -> bool:
    """Return whether a state is inside a passage."""
    return bool(state & 1)


def trail(start: State, reached_from: array[int]) -> Iterable[State]:
    """Yield the states from ``start`` to an output, both included."""
    state = start
    while state != UNREACHED:
        yield state
        state = reached_from[state]
