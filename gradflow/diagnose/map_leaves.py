"""Find the layers and lone ops that a map shows, and the edges between them, in a graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import field, replace

from gradflow.diagnose.cause_edges import cause_edges
from gradflow.diagnose.evidence import Evidence
from gradflow.diagnose.where import owner_of
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.model_layer import ModelLayer
from gradflow.findings import Carried, Input, NodeKind, Output, Variable
from gradflow.flow.called_layers import with_called
from gradflow.flow.data_order import along_data
from gradflow.flow.fold import Folded, feeds_of, fold
from gradflow.flow.graph import FlowGraph
from gradflow.flow.layer_edges import LayerEdges, best, layer_edges
from gradflow.flow.nested import scopes_of
from gradflow.flow.origins import viewer_id_finder
from gradflow.flow.scope_owners import ScopeOwners
from gradflow.lazy_dataclass import dataclass

ViewerId = Callable[[int], tuple[str, str] | None]


@dataclass(slots=True)
class Leaf:
    """A node of the map that holds no other, before it has a number."""

    name: str
    kind: NodeKind
    class_name: str | None = None
    way: Sequence[str] | None = None
    """What it stands in, outermost first; None where its name alone tells."""
    viewer_ids: tuple[tuple[str, str], ...] = ()
    owners: list[str] = field(default_factory=list)
    """The layers whose weights are its own; those of inner layers come with it where it stands for
    them too."""

    @property
    def holders(self) -> Sequence[str]:
        """All that it stands in: the scopes in its name, where the model does not say more."""
        return scopes_of(self.name) if self.way is None else self.way


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two leaves, by their numbers."""

    source: int
    target: int
    gradient: Carried
    cuts: tuple[str, ...] = ()
    viewer_ids: tuple[tuple[str, str], ...] = ()


def leaves_of(
    evidence: Evidence, graph: FlowGraph, weights: Sequence[Variable], inputs: Sequence[Input]
) -> tuple[list[Leaf], list[Link]]:
    """Return the leaves of the map in the order of the data, and the edges between them."""
    owners = {weight.name: owner_of(weight) for weight in weights}
    scopes = ScopeOwners(() if evidence.layers else owners.values())
    folded = fold(graph, _layer_finder(evidence, graph, scopes), owners)
    between = layer_edges(graph, folded, cause_edges(evidence, graph, weights))
    feeds = _feeds(graph, folded, between, inputs)
    leaves: list[Leaf] = []
    numbers: dict[int, int] = {}
    viewer_id = viewer_id_finder(graph, evidence.viewer_ids)
    viewer = _by_group(between, viewer_id) if evidence.viewer_ids else {}
    linked = {group for pair in between.carried for group in pair}
    for group, node in _first_nodes(folded, between).items():
        name = folded.groups[group]
        if group in feeds:
            leaf = Leaf(feeds[group], NodeKind.INPUT, way=())
        elif folded.is_layer[group]:
            leaf = layer_leaf(evidence, name)
            leaf.way = scopes.outside.get(name) if leaf.way is None else leaf.way
        elif group in linked:
            name = graph.names[node] or graph.ops[node]
            leaf = Leaf(name, NodeKind.OPERATION, graph.ops[node], way=())
        else:
            continue  # a table or constant that a function brings along
        leaf.viewer_ids = viewer.get(group, ())
        numbers[group] = len(leaves)
        leaves.append(leaf)
    links = [
        Link(
            numbers[pair[0]],
            numbers[pair[1]],
            gradient,
            tuple(dict.fromkeys(graph.names[node] for node in between.cuts.get(pair, ()))),
            _known(viewer_id, between.cuts.get(pair, ())),
        )
        for pair, gradient in between.carried.items()
    ]
    for name, node in _outputs(graph, evidence.outputs):
        if between.home[node] in numbers:
            gradient = Carried.FLOWS if node in graph.outputs else Carried.DISCRETE
            links.append(Link(numbers[between.home[node]], len(leaves), gradient))
        leaves.append(Leaf(name, NodeKind.OUTPUT, way=()))
    return _in_order(*_with_inner(leaves, links, set(owners.values())))


def _layer_finder(
    evidence: Evidence, graph: FlowGraph, scopes: ScopeOwners
) -> Callable[[int], str | None]:
    """Return a function from a node to its layer, as its weights call it."""
    own_layer_of = with_called(graph, evidence.layer_of)

    def layer_of(node: int) -> str | None:
        scope = own_layer_of(node)
        record = evidence.layers.get(scope) if scope is not None else None
        if record is not None:
            return record.name
        around = graph.names[node].rpartition("/")[0]
        return scopes.layer_of(scope) or (scopes.owner_of(around) if around else None)

    return layer_of


def layer_leaf(evidence: Evidence, name: str) -> Leaf:
    """Return the leaf of a layer, with what the model says of it."""
    record = evidence.layers.get(name)
    if record is None:
        return Leaf(name, NodeKind.LAYER, owners=[name])
    way: list[str] = []
    holder: ModelLayer | None = record
    while holder is not None and holder.parent is not None and holder.parent not in way:
        way.insert(0, holder.parent)
        holder = evidence.layers.get(holder.parent)
    kind = NodeKind.OPERATION if record.is_operation else NodeKind.LAYER
    return Leaf(record.name, kind, record.class_name, way, owners=[record.name])


def _with_inner(
    leaves: Sequence[Leaf], links: Sequence[Link], owners: Set[str]
) -> tuple[list[Leaf], list[Link]]:
    """Make one leaf of a layer and an inner one where two would tell no more: it computes around
    one inner layer that has all the weights (an LSTM and its cell, a wrapper and what it wraps), or
    takes nothing but the weights from it."""
    own = {leaf.name: number for number, leaf in enumerate(leaves) if leaf.owners}
    weighted = [number for number, leaf in enumerate(leaves) if owners & {*leaf.owners}]
    inside = Counter(holder for number in weighted for holder in leaves[number].holders)
    outer = _only_weights(leaves, links, weighted)
    for number in weighted:
        around = [
            own[holder]
            for holder in leaves[number].holders
            if inside[holder] == 1 and holder in own and holder not in owners
        ]
        if around:
            outer[number] = around[0]  # the outermost one
    for number in sorted(outer, key=lambda leaf: len(leaves[leaf].holders)):
        outer[number] = outer.get(outer[number], outer[number])  # layers further out come first
        leaves[outer[number]].owners += leaves[number].owners
        leaves[outer[number]].viewer_ids += leaves[number].viewer_ids
    remaining = [number for number in range(len(leaves)) if number not in outer]
    position = {number: place for place, number in enumerate(remaining)}
    joined: dict[tuple[int, int], Link] = {}
    for link in links:
        pair = (
            position[outer.get(link.source, link.source)],
            position[outer.get(link.target, link.target)],
        )
        if pair[0] != pair[1] or link.cuts:
            moved = replace(link, source=pair[0], target=pair[1])
            joined[pair] = _joined(joined[pair], moved) if pair in joined else moved
    return [leaves[number] for number in remaining], list(joined.values())


def _only_weights(
    leaves: Sequence[Leaf], links: Sequence[Link], weighted: Iterable[int]
) -> dict[int, int]:
    """Return the leaves that give their weights to a layer around them and do nothing else, each
    with that layer."""
    fed = {link.target for link in links}
    targets: dict[int, set[int]] = {}
    for link in links:
        targets.setdefault(link.source, set()).add(link.target)
    giving = {number: targets.get(number, set()) for number in weighted if number not in fed}
    return {
        number: user
        for number, users in giving.items()
        if len(users) == 1
        for user in users
        if user in fed and leaves[user].name in leaves[number].holders
    }


def _joined(link: Link, other: Link) -> Link:
    """Return what two edges between the same leaves come to: where a cause is, it counts."""
    blamed = [item for item in (link, other) if item.cuts] or [link, other]
    gradient = best(item.gradient for item in blamed)
    return replace(
        link,
        gradient=gradient,
        cuts=tuple(dict.fromkeys(link.cuts + other.cuts)),
        viewer_ids=tuple(dict.fromkeys(link.viewer_ids + other.viewer_ids)),
    )


def _in_order(leaves: Sequence[Leaf], links: Sequence[Link]) -> tuple[list[Leaf], list[Link]]:
    order = along_data(len(leaves), ((link.source, link.target) for link in links))
    numbers = {leaf: number for number, leaf in enumerate(order)}
    moved = (
        replace(link, source=numbers[link.source], target=numbers[link.target]) for link in links
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


def _by_group(
    between: LayerEdges, viewer_id: ViewerId
) -> Mapping[int, tuple[tuple[str, str], ...]]:
    nodes: dict[int, list[int]] = {}
    for node, group in enumerate(between.home):
        nodes.setdefault(group, []).append(node)
    return {group: _known(viewer_id, members) for group, members in nodes.items()}


def _known(viewer_id: ViewerId, nodes: Iterable[int]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys(found for node in nodes if (found := viewer_id(node)) is not None))


def _feeds(
    graph: FlowGraph, folded: Folded, between: LayerEdges, inputs: Sequence[Input]
) -> Mapping[int, str]:
    """Return the name of the input that each group is; where the inputs are known, what else a
    function brings along is none."""
    nodes = [node for node in feeds_of(graph) if between.home[node] == folded.group_of[node]]
    names = [item.name for item in inputs]
    if len(nodes) != len(inputs):
        named = [node for node in nodes if graph.names[node] in names]
        used = {source for source, _ in between.carried}
        nodes = named or [node for node in nodes if between.home[node] in used]
        names = [graph.names[node] for node in nodes]
    return {between.home[node]: name for node, name in zip(nodes, names, strict=True)}


def _outputs(graph: FlowGraph, outputs: Sequence[Output]) -> Iterable[tuple[str, int]]:
    """Yield the name and the node of each output."""
    for nodes, floating in ((graph.outputs, True), (graph.discrete_outputs, False)):
        names = [item.name for item in outputs if (item.dtype in FLOATING_NAMES) == floating]
        if len(names) != len(nodes):  # two outputs that are one tensor have one node
            names = [graph.names[node] for node in nodes]
        yield from zip(names, nodes, strict=True)
