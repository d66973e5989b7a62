"""Find the cuts that border the region which gradient reaches, and what stands behind each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.states import (
    State,
    in_passage,
    is_in_passage,
    node_of,
    over_floating,
    trail,
)
from gradflow.lazy_dataclass import dataclass

_FLOW, _DISCRETE, _FILL = int(Edge.FLOW), int(Edge.DISCRETE), int(Edge.FILL)
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


def frontier_of(graph: FlowGraph, distance: array[int], via: array[int]) -> dict[Cut, list[int]]:
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
            frontier[Cut(node, Edge.DISCRETE, reentry_of(via, in_passage(node)))] = [
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


def reentry_of(via: array[int], state: State) -> int | None:
    """Return the node at which a passage ends: its result is a float; None at an output."""
    return next((node_of(step) for step in trail(state, via) if not is_in_passage(step)), None)


def cuts_behind(
    graph: FlowGraph, frontier: Mapping[Cut, Sequence[int]], distance: array[int]
) -> dict[State, int]:
    """Return for every state a bit set of the frontier cuts at which its data first enters the
    region that gets gradient.

    No way goes on from there: neither from the region itself (distance 0), nor from a passage that
    starts at the region, whose leaving op is a cut of the frontier.
    """
    bits: dict[State, int] = {}
    for number, sources in enumerate(frontier.values()):
        for source in sources:
            state = over_floating(source)
            bits[state] = bits.get(state, 0) | 1 << number
    order, has_loop = _consumers_first(graph, list(bits), distance)
    variables = {over_floating(node) for node in graph.variables.values()}
    changed = True
    while changed:
        changed = False
        for state in order:
            cuts = bits.get(state, 0)
            for source in _sources(graph, state, distance):
                source_cuts = bits.get(source, 0)
                joined = source_cuts | cuts
                if joined != source_cuts:
                    # Equal sets share one object: a long chain costs one set, not one a node.
                    bits[source] = cuts if joined == cuts else joined
                    changed = has_loop
            if not has_loop and state not in variables:
                bits.pop(state, None)
    return bits


def _sources(graph: FlowGraph, state: State, distance: array[int]) -> Iterable[State]:
    """Yield the states whose data goes on to ``state`` and has not entered the region before."""
    node = node_of(state)
    # To let the gradient over the op here opens its way into the region at once.
    is_border = distance[over_floating(node)] == 0 or distance[in_passage(node)] == 1
    for edge in range(graph.first[node], graph.first[node + 1]):
        kind = graph.kinds[edge]
        if kind == _FILL:
            continue
        if kind == _DISCRETE:
            source, entered = in_passage(graph.sources[edge]), 1
        elif is_border and (kind != _FLOW or is_in_passage(state)):
            continue
        else:
            source, entered = over_floating(graph.sources[edge]), 0
        if distance[source] != entered:
            yield source


def _consumers_first(
    graph: FlowGraph, roots: Sequence[State], distance: array[int]
) -> tuple[list[State], bool]:
    """Return all states whose data reaches ``roots``, each before its sources where there is no
    loop; whether there is one."""
    new, open_, closed = 0, 1, 2
    mark = bytearray(2 * len(graph))
    order: list[State] = []
    has_loop = False
    for root in roots:
        if mark[root] != new:
            continue
        mark[root] = open_
        stack = [(root, iter(_sources(graph, root, distance)))]
        while stack:
            state, rest = stack[-1]
            source = next(rest, None)
            if source is None:
                mark[state] = closed
                order.append(state)
                stack.pop()
            elif mark[source] == open_:
                has_loop = True
            elif mark[source] == new:
                mark[source] = open_
                stack.append((source, iter(_sources(graph, source, distance))))
    order.reverse()
    return order, has_loop


def distinct_cuts(graph: FlowGraph, cuts: Sequence[Cut], bits: int) -> list[Cut]:
    """Return the cuts of the set ``bits``, each once however often its function is called."""
    members = []
    while bits:
        lowest = bits & -bits
        members.append(cuts[lowest.bit_length() - 1])
        bits ^= lowest
    # Where the data goes on from an argument too, that a custom gradient gives its results nothing
    # is no cut.
    members = [cut for cut in members if cut.kind is not Edge.RESULT] or members
    # The copies of one op in several calls of its function are one cut.
    first = {(graph.place(cut.node), cut.kind): cut for cut in reversed(members)}
    return [cut for cut in members if first[graph.place(cut.node), cut.kind] is cut]
