"""Fold a graph of gradient flow into what people see: layers in the order of the model, not ops."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence

from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph, Mark
from gradflow.flow.layer_scopes import above
from gradflow.lazy_dataclass import dataclass

_FEEDS = frozenset({"_Arg", "Placeholder", "PlaceholderWithDefault"})
_READS = frozenset(
    "ReadVariableOp Identity Cast Enter Switch Transpose Reshape VarHandleOp VariableV2 Variable "
    "_Arg Placeholder".split()
)
"""Ops that read a weight, or bring it into another type or form, and do nothing else with it."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A graph whose ops are grouped by layer; an op that stands in no layer is a group of its
    own."""

    groups: Sequence[str]
    """The name of each group: of a layer, else of the op. In the order of the model, from the input
    to the output."""
    is_layer: Sequence[bool]
    group_of: array[int]
    """The group of each node of the graph."""
    weighted: frozenset[str]
    """The layers that own weights, or hold a layer that does."""
    consumers: Sequence[Sequence[int]]
    """The nodes that each node gives data to."""
    order: Sequence[int]
    """All nodes, each after its sources where there is no loop."""


def fold(
    graph: FlowGraph, layer_of: Callable[[int], str | None], owners: Mapping[str, str]
) -> Folded:
    """Fold ``graph``, in time linear in its size.

    Args:
        graph: the graph.
        layer_of: the layer of a node; None where it stands in none.
        owners: for each variable, by the caller's key, the layer that owns it, or its own name.
    """
    consumers = _consumers(graph)
    labels = _labels(graph, layer_of, owners, consumers)
    numbers: dict[str, int] = {}
    names: list[str] = []
    is_layer: list[bool] = []
    group_of = array("i", [0]) * len(graph)
    order = _sources_first(graph)
    for node in _data_order(graph, order):
        label = labels[node]
        number = numbers.get(label) if label else None
        if number is None:
            number = len(names)
            names.append(label or graph.names[node])
            is_layer.append(bool(label))
            if label:
                numbers[label] = number
        group_of[node] = number
    return Folded(
        groups=names,
        is_layer=is_layer,
        group_of=group_of,
        weighted=_with_holders(owners.values()),
        consumers=consumers,
        order=order,
    )


def positions(graph: FlowGraph, folded: Folded) -> Mapping[str, int]:
    """Return for each variable, by the caller's key, a number to sort by: the group that uses it
    first."""
    return {
        key: min(
            (folded.group_of[reader] for reader in readers_of(graph, node, folded.consumers)),
            default=len(folded.groups),
        )
        for key, node in graph.variables.items()
    }


def neighbours(
    graph: FlowGraph, folded: Folded, cut: Cut
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the layers nearest to ``cut`` on either side, each side in the order of the model.

    The first side is the one that the data comes from. A layer without weights that makes the cut
    is left out, for the cut is all of it that matters; where there is nothing beyond it, it stands
    for itself. An empty side has no layer at all.
    """
    own = folded.group_of[cut.node]
    is_bare = folded.is_layer[own] and folded.groups[own] not in folded.weighted
    skipped = own if is_bare else -1
    behind = [cut.source] if cut.source is not None else _cut_sources(graph, cut)
    before = folded.consumers[cut.node] if cut.reenters_at is None else [cut.reenters_at]
    itself = (folded.groups[own],) if folded.is_layer[own] else ()
    return (
        _nearest(folded, behind, lambda node: _sources(graph, node), skipped) or itself,
        _nearest(folded, before, folded.consumers.__getitem__, skipped) or itself,
    )


def readers_of(
    graph: FlowGraph, variable: int, consumers: Sequence[Sequence[int]]
) -> Sequence[int]:
    """Return the ops that read the variable of that node, and those that compute with what they
    read."""
    readers: list[int] = []
    seen = {variable}
    stack = [variable]
    while stack:
        for consumer in consumers[stack.pop()]:
            if consumer in seen:
                continue
            seen.add(consumer)
            readers.append(consumer)
            # A loop carries the weights that it reads along with what it changes.
            if graph.ops[consumer] in _READS or graph.marks[consumer] & Mark.CARRIED:
                stack.append(consumer)
    return readers


def _nearest(
    folded: Folded, start: Iterable[int], onward: Callable[[int], Iterable[int]], skipped: int
) -> tuple[str, ...]:
    """Return the layers that are met first from ``start`` on, in the order of the model."""
    seen = set(start)
    stack = list(seen)
    met = set()
    while stack:
        node = stack.pop()
        group = folded.group_of[node]
        if folded.is_layer[group] and group != skipped:
            met.add(group)
            continue
        fresh = {further for further in onward(node) if further not in seen}
        seen.update(fresh)
        stack += fresh
    return tuple(folded.groups[group] for group in sorted(met))


def _cut_sources(graph: FlowGraph, cut: Cut) -> Sequence[int]:
    """Return the nodes that ``cut`` holds the gradient back from."""
    edges = range(graph.first[cut.node], graph.first[cut.node + 1])
    held_back = [
        graph.sources[edge]
        for edge in edges
        if graph.kinds[edge] not in (Edge.FILL, Edge.DISCRETE)
        and (cut.kind is Edge.DISCRETE or graph.kinds[edge] != Edge.FLOW)
    ]
    return held_back or _sources(graph, cut.node)


def _labels(
    graph: FlowGraph,
    layer_of: Callable[[int], str | None],
    owners: Mapping[str, str],
    consumers: Sequence[Sequence[int]],
) -> list[str]:
    """Return the layer of each node, empty where it has none.

    An op that stands in no layer and reads a weight belongs to the layer that owns the weight. A
    scope inside a layer that has weights and no layers inside is that layer.
    """
    innermost = _innermost(set(owners.values()))
    # A constant is named after the op that it is made for, as if that were a scope.
    labels = [
        innermost(layer_of(node) or "") if graph.first[node] < graph.first[node + 1] else ""
        for node in range(len(graph))
    ]
    for key, node in graph.variables.items():
        if key in owners:
            labels[node] = owners[key]
            for reader in readers_of(graph, node, consumers):
                # What only reads is named after the op that it is for: ``matmul/ReadVariableOp``.
                is_named = labels[reader] and graph.ops[reader] not in _READS
                labels[reader] = labels[reader] if is_named else owners[key]
    return labels


def _innermost(layers: set[str]) -> Callable[[str], str]:
    leaves = layers.difference(*map(above, layers))

    def innermost(name: str) -> str:
        return next((outer for outer in above(name) if outer in leaves), name)

    return innermost


def feeds_of(graph: FlowGraph) -> list[int]:
    """Return the nodes at which data of the caller comes in."""
    variables = set(graph.variables.values())
    feeds = (node for node, op in enumerate(graph.ops) if op in _FEEDS)
    return [node for node in feeds if node not in variables]


def _with_holders(owners: Iterable[str]) -> frozenset[str]:
    """Return the layers and all that they stand in, by their names."""
    distinct = set(owners)
    return frozenset(distinct.union(*map(above, distinct)))


def _data_order(graph: FlowGraph, order: Sequence[int]) -> list[int]:
    """Return all nodes in the order in which a reader follows the data: as in ``order``, and what
    the input reaches first."""
    reached = bytearray(len(graph))
    for feed in feeds_of(graph):
        reached[feed] = 1
    for node in order:
        reached[node] |= any(reached[source] for source in _sources(graph, node))
    return sorted(order, key=lambda node: not reached[node])


def _sources_first(graph: FlowGraph) -> list[int]:
    order: list[int] = []
    is_open = bytearray(len(graph))
    next_edge = graph.first[:]
    ends = (*graph.outputs, *graph.discrete_outputs, *range(len(graph) - 1, -1, -1))
    for end in ends:
        stack = [] if is_open[end] else [end]
        is_open[end] = 1
        while stack:
            node = stack[-1]
            edge = next_edge[node]
            if edge == graph.first[node + 1]:
                order.append(node)
                stack.pop()
                continue
            next_edge[node] = edge + 1
            source = graph.sources[edge]
            if graph.kinds[edge] != Edge.FILL and not is_open[source]:
                is_open[source] = 1
                stack.append(source)
    return order


def _consumers(graph: FlowGraph) -> Sequence[Sequence[int]]:
    consumers: list[list[int]] = [[] for _ in range(len(graph))]
    for node in range(len(graph)):
        for source in dict.fromkeys(_sources(graph, node)):
            consumers[source].append(node)
    return consumers


def _sources(graph: FlowGraph, node: int) -> Sequence[int]:
    edges = range(graph.first[node], graph.first[node + 1])
    return [graph.sources[edge] for edge in edges if graph.kinds[edge] != Edge.FILL]
