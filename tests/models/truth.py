"""Find the right answer for each layer of a Plan by brute force over all paths and sets of cuts.

Nothing of gradflow is used, and nothing of TensorFlow: the definitions are spelled out as they
stand in the README, without regard to speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from tests.models.plan import CUTS, WEIGHTED, Plan, Ref

LEAVES_AT = {
    "stop_gradient": "StopGradient",
    "argmax": "ArgMax",
    "round": "Round",
    "floor": "Floor",
    "integer": "Cast",
    "greater": "Greater",
    "sign": "Sign",
    "top_k": "TopKV2",
    "quantise": "Cast",
    "bins": "Bucketize",
}
"""The TensorFlow op type that a cut is named after."""
REENTERS_AT = {
    "argmax": "OneHot",
    "integer": "Cast",
    "greater": "Cast",
    "top_k": "Cast",
    "quantise": "Cast",
}
"""The op type where the data of a passage comes back; an Embedding's gather has no fixed name."""
GAINED = ("argmax", "round", "floor", "integer", "quantise")
"""Cuts whose input is multiplied first: the product is a place of its own, which only this cut
reads, so it is outside the region that the gradient reaches even where the factor is inside."""


@dataclass(frozen=True, slots=True)
class LayerTruth:
    """What must be found out about every weight of one layer."""

    verdict: str
    """``flows``, ``zero`` (only Sign stands between) or ``none``."""
    causes: frozenset[str]
    """The cuts at which its data first enters the region that gets gradient, as names of flat
    nodes."""
    cuts_to_restore: int | None
    frozen: bool
    frozen_by: str | None
    """The outermost frozen layer, by its name in the plan."""


@dataclass(frozen=True, slots=True)
class FlatNode:
    """One application of a leaf layer or an operation, submodels taken apart."""

    name: str
    kind: str
    layer: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlatPlan:
    """A plan without submodels."""

    nodes: dict[str, FlatNode]
    outputs: tuple[str, ...]

    def kind(self, name: str) -> str:
        """The kind of a node; the model's inputs are ``input``."""
        return self.nodes[name].kind if name in self.nodes else "input"


def expected(plan: Plan) -> dict[str, LayerTruth]:
    """The truth about every layer that owns weights, by its name in the plan."""
    flat = flatten(plan)
    owners = _owners(plan)
    truths = {}
    for layer in owners:
        starts = [node.name for node in flat.nodes.values() if node.layer == layer]
        paths = [path for start in starts for path in _paths(flat, start)]
        # A variable enters after its own node's cut: the Embedding behind a Discretization.
        crossed = [
            frozenset(name for name in path[1:] if flat.kind(name) in CUTS) for path in paths
        ]
        flows = any(not cuts for cuts in crossed)
        zero = any(all(flat.kind(cut) == "sign" for cut in cuts) for cuts in crossed)
        frozen_by = next((name for name in owners[layer] if name in plan.frozen), None)
        truths[layer] = LayerTruth(
            verdict="flows" if flows else "zero" if zero else "none",
            causes=frozenset() if flows else _entered(flat, paths, is_none=not zero),
            cuts_to_restore=_fewest(crossed),
            frozen=frozen_by is not None,
            frozen_by=frozen_by,
        )
    return truths


def flatten(plan: Plan) -> FlatPlan:
    """Take the submodels apart: each application becomes nodes of its own, named
    ``application/inner``."""
    nodes: dict[str, FlatNode] = {}
    outputs = _flatten_into(nodes, plan, {Ref(name): name for name in plan.inputs}, "")
    return FlatPlan(nodes, tuple(outputs))


def _flatten_into(
    nodes: dict[str, FlatNode], plan: Plan, known: dict[Ref, str], prefix: str
) -> list[str]:
    for node in plan.nodes:
        sources = tuple(known[source] for source in node.sources)
        if node.kind == "submodel":
            inner = plan.submodels[node.layer]
            outputs = _flatten_into(
                nodes, inner, {Ref(inner.inputs[0]): sources[0]}, f"{prefix}{node.name}/"
            )
            known.update({Ref(node.name, number): output for number, output in enumerate(outputs)})
        else:
            name = prefix + node.name
            if node.kind in GAINED:
                nodes[f"{name}:gain"] = FlatNode(f"{name}:gain", "gain", "", sources)
                sources = (f"{name}:gain",)
            nodes[name] = FlatNode(name, node.kind, node.layer, sources)
            known[Ref(node.name)] = name
    return [known[ref] for ref in plan.outputs]


def _owners(plan: Plan) -> dict[str, tuple[str, ...]]:
    """For every layer with weights: the layers that can freeze it, outermost first."""
    owners = {}
    for node in plan.nodes:
        if node.kind in WEIGHTED:
            owners[node.layer] = (node.layer,)
        elif node.kind == "submodel":
            inner = plan.submodels[node.layer].nodes
            owners.update(
                {leaf.layer: (node.layer, leaf.layer) for leaf in inner if leaf.kind in WEIGHTED}
            )
    return owners


def _paths(flat: FlatPlan, start: str) -> Iterator[tuple[str, ...]]:
    """Every path along the data from ``start`` to a model output."""
    if start in flat.outputs:
        yield (start,)
    for node in flat.nodes.values():
        if start in node.sources:
            for rest in _paths(flat, node.name):
                yield (start, *rest)


def _entered(flat: FlatPlan, paths: list[tuple[str, ...]], *, is_none: bool) -> frozenset[str]:
    """The cuts at which ``paths`` first enter the region that a gradient reaches.

    Sign passes zeros: where nothing at all arrives, the cuts at which they first enter the region
    that a tensor reaches count as well.
    """
    regions = [frozenset(CUTS)]
    if is_none:
        regions.append(frozenset(CUTS) - {"sign"})
    return frozenset(
        next(later for later in path[1:] if _is_reached(flat, later, kinds))
        for kinds in regions
        for path in paths
    )


def _is_reached(flat: FlatPlan, name: str, cuts: frozenset[str]) -> bool:
    """Whether a path from the output side of ``name`` to an output crosses no cut."""
    return any(
        not any(flat.kind(later) in cuts for later in path[1:]) for path in _paths(flat, name)
    )


def _fewest(crossed: list[frozenset[str]]) -> int | None:
    """The size of the smallest set of cuts that contains all cuts of some path: try all sets, small
    ones first."""
    if not crossed:
        return None
    cuts = sorted(frozenset().union(*crossed))
    return next(
        size
        for size in range(len(cuts) + 1)
        if any(path <= set(removed) for removed in combinations(cuts, size) for path in crossed)
    )
