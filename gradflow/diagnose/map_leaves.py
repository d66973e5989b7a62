"""Find the layers and lone ops that a map shows, and the edges between them, in a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gradflow.diagnose.cause_edges import cause_edges
from gradflow.diagnose.evidence import Evidence
from gradflow.diagnose.where import owner_of
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.model_layer import ModelLayer
from gradflow.findings import Carried, Input, NodeKind, Output, Variable
from gradflow.flow.data_order import along_data
from gradflow.flow.fold import Folded, feeds_of, fold
from gradflow.flow.graph import FlowGraph
from gradflow.flow.layer_edges import NOWHERE, LayerEdges, layer_edges
from gradflow.flow.scope_owners import ScopeOwners


@dataclass(slots=True)
class Leaf:
    """A node of the map that holds no other, before it has a number."""

    name: str
    kind: NodeKind
    class_name: str | None = None
    way: Sequence[str] | None = None
    """What it stands in, outermost first; None where its name alone tells."""
    weights: list[Variable] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two leaves, by their numbers."""

    source: int
    target: int
    gradient: Carried
    cuts: tuple[str, ...] = ()


def leaves_of(
    evidence: Evidence, graph: FlowGraph, weights: Sequence[Variable], inputs: Sequence[Input]
) -> tuple[list[Leaf], list[Link]]:
    """Return the leaves of the map in the order of the data, and the edges between them."""
    owners = {weight.name: owner_of(weight) for weight in weights}
    scopes = ScopeOwners(() if evidence.layers else owners.values())
    folded = fold(graph, lambda node: scopes.layer_of(evidence.layer_of(node)), owners)
    between = layer_edges(graph, folded, cause_edges(evidence, graph, weights))
    feeds = _feeds(graph, folded, between, inputs)
    leaves: list[Leaf] = []
    numbers: dict[int, int] = {}
    for group, node in _first_nodes(folded, between).items():
        name = folded.groups[group]
        if group in feeds:
            leaf = Leaf(feeds[group], NodeKind.INPUT, way=())
        elif folded.is_layer[group]:
            leaf = layer_leaf(evidence, name)
            leaf.way = scopes.outside.get(name) if leaf.way is None else leaf.way
        else:
            leaf = Leaf(graph.names[node] or graph.ops[node], NodeKind.OPERATION, graph.ops[node])
        numbers[group] = len(leaves)
        leaves.append(leaf)
    links = [
        Link(numbers[pair[0]], numbers[pair[1]], gradient, _cut_names(graph, between, pair))
        for pair, gradient in between.carried.items()
    ]
    for name, node in _outputs(graph, evidence.outputs):
        if between.home[node] != NOWHERE:
            gradient = Carried.FLOWS if node in graph.outputs else Carried.DISCRETE
            links.append(Link(numbers[between.home[node]], len(leaves), gradient))
        leaves.append(Leaf(name, NodeKind.OUTPUT, way=()))
    return _in_order(leaves, links)


def layer_leaf(evidence: Evidence, name: str) -> Leaf:
    """Return the leaf of a layer, with what the model says of it."""
    record = evidence.layers.get(name)
    if record is None:
        return Leaf(name, NodeKind.LAYER)
    way: list[str] = []
    holder: ModelLayer | None = record
    while holder is not None and holder.parent is not None and holder.parent not in way:
        way.insert(0, holder.parent)
        holder = evidence.layers.get(holder.parent)
    kind = NodeKind.OPERATION if record.is_operation else NodeKind.LAYER
    return Leaf(name, kind, record.class_name, way)


def _in_order(leaves: Sequence[Leaf], links: Sequence[Link]) -> tuple[list[Leaf], list[Link]]:
    order = along_data(len(leaves), ((link.source, link.target) for link in links))
    numbers = {leaf: number for number, leaf in enumerate(order)}
    moved = (
        Link(numbers[link.source], numbers[link.target], link.gradient, link.cuts) for link in links
    )
    return (
        [leaves[leaf] for leaf in order],
        sorted(moved, key=lambda link: (link.source, link.target)),
    )


def _first_nodes(folded: Folded, between: LayerEdges) -> Mapping[int, int]:
    """Return the first node of each group of the map, in the order of the groups."""
    first: dict[int, int] = {}
    for node, group in enumerate(between.home):
        if group == folded.group_of[node]:
            first.setdefault(group, node)
    return dict(sorted(first.items()))


def _feeds(
    graph: FlowGraph, folded: Folded, between: LayerEdges, inputs: Sequence[Input]
) -> Mapping[int, str]:
    """Return the name of the input that each group is; constants that a function brings along are
    none where the inputs are known."""
    names = {item.name for item in inputs}
    nodes = [node for node in feeds_of(graph) if between.home[node] == folded.group_of[node]]
    used = {source for source, _ in between.carried}
    nodes = [node for node in nodes if between.home[node] in used]
    named = [node for node in nodes if graph.names[node] in names]
    if len(nodes) == len(inputs):
        pairs = zip(nodes, (item.name for item in inputs), strict=True)
        return {between.home[node]: name for node, name in pairs}
    return {between.home[node]: graph.names[node] for node in named or nodes}


def _outputs(graph: FlowGraph, outputs: Sequence[Output]) -> Iterable[tuple[str, int]]:
    """Yield the name and the node of each output."""
    for nodes, floating in ((graph.outputs, True), (graph.discrete_outputs, False)):
        names = [item.name for item in outputs if (item.dtype in FLOATING_NAMES) == floating]
        if len(names) != len(nodes):  # two outputs that are one tensor have one node
            names = [graph.names[node] for node in nodes]
        yield from zip(names, nodes, strict=True)


def _cut_names(graph: FlowGraph, between: LayerEdges, pair: tuple[int, int]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(graph.names[node] for node in between.cuts.get(pair, ())))
