"""Draw the map of gradient flow: layers with the state of their weights, and what goes between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradflow.diagnose.evidence import Evidence
from gradflow.diagnose.map_leaves import Leaf, Link, layer_leaf, leaves_of
from gradflow.diagnose.where import owner_of
from gradflow.findings import (
    FlowMap,
    Input,
    MapEdge,
    MapNode,
    NodeKind,
    NodeState,
    Role,
    Variable,
    made_of,
)
from gradflow.flow.blocks import in_blocks
from gradflow.flow.nested import Nested, nested

_ENDS = (NodeKind.INPUT, NodeKind.OUTPUT)


def draw_map(evidence: Evidence, variables: Sequence[Variable], inputs: Sequence[Input]) -> FlowMap:
    """Return the map of a model, in time linear in the size of its graph.

    Without a graph, as of code that cannot be traced, it has the layers with weights and no edge.
    """
    weights = [variable for variable in variables if variable.role is Role.WEIGHT]
    by_owner: dict[str, list[Variable]] = {}
    for weight in weights:
        by_owner.setdefault(owner_of(weight), []).append(weight)
    leaves: list[Leaf] = []
    links: list[Link] = []
    if evidence.graph is not None:
        leaves, links = leaves_of(evidence, evidence.graph, weights, inputs)
    drawn = {owner for leaf in leaves for owner in leaf.owners}
    leaves += [layer_leaf(evidence, owner) for owner in by_owner if owner not in drawn]
    ends = {number for number, leaf in enumerate(leaves) if leaf.kind in _ENDS}
    names, ways = [leaf.name for leaf in leaves], [leaf.way for leaf in leaves]
    items = in_blocks(nested(names, ways, ends), ends)
    nodes, numbers = _numbered(evidence, leaves, items, by_owner)
    edges = (
        MapEdge(
            numbers[link.source], numbers[link.target], link.gradient, link.cuts, link.viewer_ids
        )
        for link in links
    )
    handles = ((weight.name, evidence.viewer_ids.get(("", weight.name))) for weight in weights)
    named = tuple((name, handle) for name, handle in handles if handle is not None)
    return FlowMap(nodes, tuple(edges), named)


def _numbered(
    evidence: Evidence,
    leaves: Sequence[Leaf],
    items: Sequence[Nested],
    by_owner: Mapping[str, Sequence[Variable]],
) -> tuple[tuple[MapNode, ...], Mapping[int, int]]:
    """Return the nodes in order, each holder before what it holds, and the number of each leaf."""
    nodes: list[MapNode] = []
    numbers: dict[int, int] = {}

    def add(item: Nested, parent: int | None) -> list[Variable]:
        number = len(nodes)
        leaf = _holder(evidence, item) if item.leaf is None else leaves[item.leaf]
        weights = [weight for owner in leaf.owners for weight in by_owner.get(owner, ())]
        nodes.append(_bare_node(leaf, number, parent, weights))
        if item.leaf is not None:
            numbers[item.leaf] = number
        for inner in item.inside:
            weights += add(inner, number)
        nodes[number] = made_of(nodes[number], weights)
        return weights

    for item in items:
        add(item, None)
    return tuple(nodes), numbers


def _holder(evidence: Evidence, item: Nested) -> Leaf:
    """Return what stands for a submodel or a block."""
    record = evidence.layers.get(item.name) if item.is_certain else None
    return Leaf(item.name, NodeKind.LAYER, record.class_name if record else None)


def _bare_node(leaf: Leaf, number: int, parent: int | None, weights: Sequence[Variable]) -> MapNode:
    return MapNode(
        id=number,
        name=leaf.name,
        parent=parent,
        kind=leaf.kind,
        class_name=leaf.class_name,
        state=NodeState.PASSES,
        weights=0,
        parameters=0,
        norm=None,
        variables=tuple(weight.name for weight in weights),
        viewer_ids=leaf.viewer_ids,
    )
