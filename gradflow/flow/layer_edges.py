"""Find between which layers the data of a model goes, and what gradient comes back there."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from gradflow.findings import Carried
from gradflow.flow.fold import Folded, feeds_of
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.families import CONTROL_FLOW, VARIABLES

NOWHERE = -1
"""The group of a node that is no part of the map: it computes nothing from the data."""
_PASSES_ON = (CONTROL_FLOW | VARIABLES).union(
    "ReadVariableOp Identity IdentityN Enter Exit NextIteration Switch Merge".split()
)
_ZEROS = frozenset({Edge.ZERO, Edge.DEAD, Edge.UNTAKEN, Edge.OVERWRITTEN})
_SILENT = frozenset({Edge.FILL, Edge.SHAPE})
"""No numbers go over such an edge."""
_BEST = (Carried.FLOWS, Carried.ZERO, Carried.UNKNOWN, Carried.CUT, Carried.DISCRETE, Carried.NONE)
_RANK = {carried: rank for rank, carried in enumerate(_BEST)}


@dataclass(frozen=True, slots=True)
class Causes:
    """Where the gradient of weights is lost, in a graph."""

    edges: Mapping[int, Carried]
    """The edges at which it is held back, with what comes through there."""
    bearing: bytearray
    """Marks the nodes that compute something from a weight."""


@dataclass(frozen=True, slots=True)
class LayerEdges:
    """The edges between the groups of a folded graph that data of the model goes over."""

    home: array[int]
    """The group of each node, ``NOWHERE`` where it is no part of the map."""
    carried: Mapping[tuple[int, int], Carried]
    """What gradient comes back from the second of two groups to the first: at the cause that stands
    between them, else over the best edge between their ops. From a group to itself where a cause
    stands inside of it."""
    cuts: Mapping[tuple[int, int], Collection[int]]
    """The nodes of the causes between two groups."""


def layer_edges(graph: FlowGraph, folded: Folded, causes: Causes) -> LayerEdges:
    """Find the edges between the groups of ``folded``, in time linear in the size of the graph."""
    consumer = _consumers_of_edges(graph)
    home = _homes(graph, folded, {consumer[edge] for edge in causes.edges}, causes.bearing)
    arriving = _arriving(graph, causes.edges)
    carried: dict[tuple[int, int], Carried] = {}
    for edge, node in enumerate(consumer):
        pair = home[graph.sources[edge]], home[node]
        is_silent = graph.kinds[edge] in _SILENT or edge in causes.edges
        if pair[0] != pair[1] and NOWHERE not in pair and not is_silent:
            _improve(carried, pair, _carried(graph.kinds[edge], arriving[node]))
    blamed: dict[tuple[int, int], Carried] = {}
    cuts: dict[tuple[int, int], dict[int, None]] = {}
    weighted = _weighted(folded)
    for edge, through in causes.edges.items():
        for pair in _pairs_of(
            graph, folded, causes, home, weighted=weighted, edge=edge, node=consumer[edge]
        ):
            _improve(blamed, pair, through)
            cuts.setdefault(pair, {})[consumer[edge]] = None
    return LayerEdges(home, {**carried, **blamed}, cuts)


def _pairs_of(
    graph: FlowGraph,
    folded: Folded,
    causes: Causes,
    home: Sequence[int],
    weighted: Collection[int],
    edge: int,
    node: int,
) -> Iterable[tuple[int, int]]:
    """Return the groups that a cause at the edge to ``node`` stands between.

    Where it stands inside a layer that has no weight, that layer is the cut: it stands where data
    comes in. At the end of a layer with weights, it stands where data goes out.
    """
    source, own = home[graph.sources[edge]], home[node]
    if NOWHERE in (source, own):
        return []
    if source != own:
        return [(source, own)]
    if own not in weighted:
        ways_in = _ways_in(graph, causes, home, graph.sources[edge])
        return [(group, own) for group in dict.fromkeys(ways_in)] or [(own, own)]
    ways_out = {home[further] for further in folded.consumers[node]} - {NOWHERE}
    return [(own, own)] if own in ways_out or not ways_out else [(own, out) for out in ways_out]


def _ways_in(graph: FlowGraph, causes: Causes, home: Sequence[int], node: int) -> Iterable[int]:
    """Yield the groups that give data of weights to the group of ``node``, on a way to it."""
    seen = {node}
    stack = [node]
    while stack:
        consumer = stack.pop()
        for edge in range(graph.first[consumer], graph.first[consumer + 1]):
            source = graph.sources[edge]
            if graph.kinds[edge] in _SILENT or not causes.bearing[source] or source in seen:
                continue
            seen.add(source)
            if home[source] == home[node]:
                stack.append(source)
            elif home[source] != NOWHERE:
                yield home[source]


def _weighted(folded: Folded) -> frozenset[int]:
    """Return the groups that are layers with weights, or with layers inside that have some."""
    return frozenset(
        group
        for group, name in enumerate(folded.groups)
        if folded.is_layer[group] and name in folded.weighted
    )


def downstream(
    graph: FlowGraph, nodes: Iterable[int], passes: Callable[[int], bool] = lambda _: True
) -> bytearray:
    """Mark ``nodes`` and all that is computed from their numbers.

    ``passes``: whether to go on over an edge.
    """
    following: list[list[int]] = [[] for _ in range(len(graph))]
    for edge, node in enumerate(_consumers_of_edges(graph)):
        if graph.kinds[edge] not in _SILENT and passes(edge):
            following[graph.sources[edge]].append(node)
    return _reached(len(graph), nodes, following.__getitem__)


def best(carried: Iterable[Carried]) -> Carried:
    """Return what brings the most gradient."""
    return min(carried, key=_RANK.__getitem__)


def _improve(
    carried: dict[tuple[int, int], Carried], pair: tuple[int, int], further: Carried
) -> None:
    carried[pair] = best((carried.get(pair, further), further))


def _carried(kind: int, arrival: Carried) -> Carried:
    """Return what comes back over an edge without a cause, of what arrives at its consumer."""
    if kind == Edge.DISCRETE:
        return Carried.DISCRETE
    if kind in (Edge.CUT, Edge.RESULT):
        return Carried.NONE
    if kind == Edge.UNKNOWN and arrival is Carried.FLOWS:
        return Carried.UNKNOWN
    if kind in _ZEROS and arrival is Carried.FLOWS:
        return Carried.ZERO
    return arrival


def _arriving(graph: FlowGraph, causes: Mapping[int, Carried]) -> Sequence[Carried]:
    """Return for each node the best of what the outputs send back to it."""

    def reached(*over: Carried) -> bytearray:
        def sources(node: int) -> Iterable[int]:
            for edge in range(graph.first[node], graph.first[node + 1]):
                here = causes.get(edge, _carried(graph.kinds[edge], Carried.FLOWS))
                if here in over and graph.kinds[edge] not in _SILENT:
                    yield graph.sources[edge]

        return _reached(len(graph), graph.outputs, sources)

    flowing = reached(Carried.FLOWS)
    zero = reached(Carried.FLOWS, Carried.ZERO)
    unknown = reached(Carried.FLOWS, Carried.ZERO, Carried.UNKNOWN)
    marks = zip(flowing, zero, unknown, strict=True)
    return [
        Carried.FLOWS
        if marked[0]
        else Carried.ZERO
        if marked[1]
        else Carried.UNKNOWN
        if marked[2]
        else Carried.NONE
        for marked in marks
    ]


def _homes(
    graph: FlowGraph, folded: Folded, cutting: Collection[int], bearing: bytearray
) -> array[int]:
    """Return the group of each node, where those that only pass a value on have none of their
    own."""
    weights = [node for node in graph.variables.values() if bearing[node]]
    relevant = downstream(graph, [*feeds_of(graph), *weights, *cutting])
    home = array("i", [NOWHERE]) * len(graph)
    passing = []
    for node in folded.order:
        group = folded.group_of[node]
        if not relevant[node]:
            continue
        if folded.is_layer[group] or node in cutting or not _passes_on(graph, node):
            home[node] = group
        else:
            passing.append(node)
    for node in passing:
        home[node] = _home_of_passing(graph, folded, node, home)
    return home


def _passes_on(graph: FlowGraph, node: int) -> bool:
    """Return whether a node does nothing but pass on what it gets, gradient included."""
    edges = range(graph.first[node], graph.first[node + 1])
    kinds = {graph.kinds[edge] for edge in edges} - _SILENT
    is_named = graph.names[node] and graph.ops[node] not in _PASSES_ON
    return not is_named and bool(kinds) and len(kinds) == 1 and kinds <= {Edge.FLOW, Edge.DISCRETE}


def _home_of_passing(graph: FlowGraph, folded: Folded, node: int, home: Sequence[int]) -> int:
    """Return the group that a value is passed on from; that of the loop, for what a loop changes
    and for what several branches bring."""
    edges = range(graph.first[node], graph.first[node + 1])
    sources = [graph.sources[edge] for edge in edges if graph.kinds[edge] not in _SILENT]
    groups = list(dict.fromkeys(home[source] for source in sources if home[source] != NOWHERE))
    if len(groups) == 1 and all(home[source] != NOWHERE for source in sources):
        return groups[0]
    following = (folded.group_of[consumer] for consumer in folded.consumers[node])
    return next((group for group in following if folded.is_layer[group]), (*groups, NOWHERE)[0])


def _reached(size: int, starts: Iterable[int], onward: Callable[[int], Iterable[int]]) -> bytearray:
    marked = bytearray(size)
    stack = list(starts)
    for node in stack:
        marked[node] = 1
    while stack:
        for further in onward(stack.pop()):
            if not marked[further]:
                marked[further] = 1
                stack.append(further)
    return marked


def _consumers_of_edges(graph: FlowGraph) -> array[int]:
    """Return the consumer of each edge."""
    consumers = array("i", bytes(4 * len(graph.sources)))
    for node in range(len(graph)):
        for edge in range(graph.first[node], graph.first[node + 1]):
            consumers[edge] = node
    return consumers
