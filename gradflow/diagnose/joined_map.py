"""Join the maps of the entries of one model: what is in several of them is drawn once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gradflow.findings import Carried, FlowMap, MapEdge, MapNode, Variable, made_of
from gradflow.flow.layer_edges import best

_Place = tuple[tuple[str, str, int], ...]
"""Kind, name and number among its like of a node and of all that it stands in."""


def joined_map(maps: Sequence[FlowMap], variables: Sequence[Variable]) -> FlowMap | None:
    """Return one map of several; None where they do not fit together.

    ``variables``: what the report says of the weights, which is that of the entry that trains them
    best; so a cut that only another entry has is none.
    """
    by_name = {variable.name: variable for variable in variables}
    causes = {cause.op for variable in variables for cause in variable.causes}
    nodes: dict[_Place, MapNode] = {}
    weights: dict[str, _Place] = {}
    edges: dict[tuple[_Place, _Place], MapEdge] = {}
    for flow_map in maps:
        places = _places(flow_map)
        for node in flow_map.nodes:
            nodes.setdefault(places[node.id], node)
            for name in node.variables:
                weights.setdefault(name, places[node.id])
        for edge in flow_map.edges:
            pair = places[edge.source], places[edge.target]
            further = _with_causes(edge, causes)
            edges[pair] = _joined(edges[pair], further) if pair in edges else further
    holders = {place[:-1] for place in nodes}
    if holders & {place for pair in edges for place in pair}:
        return None
    numbers = {place: number for number, place in enumerate(nodes)}
    inside: dict[_Place, list[Variable]] = {}
    for name, place in weights.items():
        for depth in range(1, len(place) + 1):
            inside.setdefault(place[:depth], []).append(by_name[name])
    own: dict[_Place, list[str]] = {}
    for name, place in weights.items():
        own.setdefault(place, []).append(name)
    return FlowMap(
        tuple(
            made_of(
                replace(
                    node,
                    id=numbers[place],
                    parent=numbers.get(place[:-1]),
                    variables=tuple(own.get(place, ())),
                ),
                inside.get(place, ()),
            )
            for place, node in nodes.items()
        ),
        tuple(
            replace(edge, source=numbers[source], target=numbers[target])
            for (source, target), edge in edges.items()
        ),
        tuple(dict.fromkeys(handle for flow_map in maps for handle in flow_map.handles)),
    )


def _places(flow_map: FlowMap) -> Mapping[int, _Place]:
    places: dict[int, _Place] = {}
    counts: Counter[tuple[_Place, str, str]] = Counter()
    for node in flow_map.nodes:
        around = () if node.parent is None else places[node.parent]
        key = around, node.kind.value, node.name
        places[node.id] = (*around, (node.kind.value, node.name, counts[key]))
        counts[key] += 1
    return places


def _with_causes(edge: MapEdge, causes: set[str | None]) -> MapEdge:
    """Return the edge with those of its cuts that are causes of the report."""
    cuts = tuple(op for op in edge.cuts if op in causes)
    if cuts or not edge.cuts:
        return replace(edge, cuts=cuts)
    is_blamed = edge.gradient in (Carried.CUT, Carried.ZERO)
    return replace(edge, gradient=Carried.NONE if is_blamed else edge.gradient, cuts=())


def _joined(edge: MapEdge, other: MapEdge) -> MapEdge:
    blamed = [item for item in (edge, other) if item.cuts] or [edge, other]
    return replace(
        edge,
        gradient=best(item.gradient for item in blamed),
        cuts=tuple(dict.fromkeys(edge.cuts + other.cuts)),
        viewer_ids=tuple(dict.fromkeys(edge.viewer_ids + other.viewer_ids)),
    )
