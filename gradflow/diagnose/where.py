"""Say where a cut stands among the layers of the model, and how far back it stops learning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from gradflow.diagnose.evidence import Evidence
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.findings import Cause, Reach, Role, Variable, Verdict
from gradflow.flow.fold import Folded, fold, neighbours, positions, readers_of
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph, Mark
from gradflow.flow.nearest import Nearest, nearest_end
from gradflow.flow.routes import nodes_behind


@dataclass(frozen=True)
class Whereabouts:
    """A model's graph, folded when the first cut asks for its layers."""

    evidence: Evidence
    graph: FlowGraph
    variables: Mapping[str, Variable]
    """By name."""

    @cached_property
    def folded(self) -> Folded:
        """The layers of the model, in its order."""
        owners = {name: owner_of(variable) for name, variable in self.variables.items()}
        evidence = self.evidence
        return fold(self.graph, evidence.layer_at, owners)

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return positions(self.graph, self.folded)

    def layer_of(self, node: int) -> str | None:
        """Return the layer of a node; None where it stands in none."""
        group = self.folded.group_of[node]
        return self.folded.groups[group] if self.folded.is_layer[group] else None

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Return the variables in the order of the model; those that the graph does not use stand
        last."""
        return sorted(names, key=lambda name: self._positions.get(name, len(self.folded.groups)))

    def cut_of(self, cause: Cause, name: str) -> Cut | None:
        """Return the place in the graph where ``cause`` holds back the variable ``name``; None for
        a cause that stands at no op."""
        attribution = self.evidence.attributions.get(name)
        for cut in attribution.causes if attribution is not None else ():
            if self.graph.names[cut.node] == cause.op:
                return cut
        # Of what a real step has shown, the op is known, and not the edge.
        node, back = self._first(cause.op), self._first(cause.reenters_at)
        return None if node is None else Cut(node, Edge.DISCRETE, back)

    def _first(self, name: str | None) -> int | None:
        return next(iter(self.graph.named(name)), None) if name else None

    def between(self, cut: Cut, name: str) -> tuple[str, str] | None:
        """Return the last layer behind ``cut`` and the first before it: the same layer twice where
        it is inside of one; an output where it has no layer before it.

        ``name``: a variable that the cut holds back.
        """
        sources, consumers = neighbours(self.graph, self.folded, cut)
        before = consumers[0] if consumers else self.end_of(name)
        if before is None and self.evidence.is_of_loss:
            before = "loss"
        if not sources or before is None:
            return None
        # The data of a loop comes from before the loop and from its own end.
        others = [layer for layer in sources if layer != before]
        is_looped = bool(self.graph.marks[cut.node] & Mark.CONTROLLED) and bool(others)
        after = (others if is_looped else sources)[-1]
        if before.startswith(f"{after}/") or after.startswith(f"{before}/"):  # one in the other
            own = self.layer_of(cut.node)
            inside = own if own in (after, before) else min(after, before, key=len)
            return inside, inside
        return after, before

    def end_of(self, name: str) -> str | None:
        """Return the output at which the way of a variable ends; None where there is no way, or
        nobody knows."""
        outputs, attribution = self.evidence.outputs, self.evidence.attributions.get(name)
        if attribution is None:
            return None
        if len(outputs) == 1:
            return outputs[0].name
        end = self._ends.node(attribution)
        return None if end is None else self._output_at.get(end)

    @cached_property
    def _ends(self) -> Nearest:
        return nearest_end()

    @cached_property
    def _output_at(self) -> Mapping[int, str]:
        """The name of the output that each node is; of two that are one tensor, the first."""
        outputs, graph = self.evidence.outputs, self.graph
        found: dict[int, str] = {}
        for nodes, floating in ((graph.outputs, True), (graph.discrete_outputs, False)):
            names = [item.name for item in outputs if (item.dtype in FLOATING_NAMES) == floating]
            # Two outputs that are one tensor have one node.
            for node, name in zip(nodes, names, strict=True) if len(names) == len(nodes) else ():
                found.setdefault(node, name)
        return found

    def reach(self, cut: Cut, names: Sequence[str]) -> Reach | None:
        """Return how far back nothing learns: of ``names``, the weights that ``cut`` holds back."""
        learning = self._learning
        starved = [
            owner
            for owner in dict.fromkeys(owner_of(self.variables[name]) for name in names)
            if owner not in learning
        ]
        if not starved:
            return None
        back = self._owners_at(nodes_behind(self.graph, cut), self._owners_of_node)
        layers = {owner for owner in back if owner in self._owned}
        layers.update(starved)
        start, is_whole = None, True
        if not layers.isdisjoint(learning):
            start = starved[0]
            passed = self._downstream(start) & layers
            is_whole = passed.isdisjoint(learning) and passed.issuperset(starved)
            layers = passed if is_whole else set(starved)
        ends = neighbours(self.graph, self.folded, cut)[0]
        if not ends or not is_whole or not learning.isdisjoint(ends):
            ends = (starved[-1],)
        inside = [item for layer in layers for item in self._owned.get(layer, ())]
        return Reach(
            start=start,
            ends=ends,
            is_whole=is_whole,
            layers=len(layers),
            all_layers=len(self._owned),
            frozen=len(layers - {owner_of(item) for item in inside if item.trainable}),
            parameters=sum(item.parameters for item in inside),
            all_parameters=self._parameters,
            noun=self._noun,
        )

    def _downstream(self, owner: str) -> set[str]:
        """Return the owners of the weights that are used on a way from those of ``owner`` on."""
        consumers = self.folded.consumers
        nodes = {
            reader
            for item in self._held.get(owner, ())
            if item.name in self.graph.variables
            for reader in readers_of(self.graph, self.graph.variables[item.name], consumers)
        }
        stack = list(nodes)
        while stack:
            fresh = {node for node in consumers[stack.pop()] if node not in nodes}
            nodes |= fresh
            stack += fresh
        return self._owners_at(nodes, self._owners_of_reader) | {owner}

    @cached_property
    def _held(self) -> Mapping[str, Sequence[Variable]]:
        """The variables of each layer that has some."""
        held: dict[str, list[Variable]] = {}
        for item in self.variables.values():
            held.setdefault(owner_of(item), []).append(item)
        return held

    @cached_property
    def _owned(self) -> Mapping[str, Sequence[Variable]]:
        """The weights of each layer that has some."""
        owned = (
            (owner, [item for item in items if item.role is Role.WEIGHT])
            for owner, items in self._held.items()
        )
        return {owner: weights for owner, weights in owned if weights}

    @cached_property
    def _learning(self) -> AbstractSet[str]:
        """The layers in which some weight learns."""
        return {owner for owner, weights in self._owned.items() if any(map(_may_learn, weights))}

    @cached_property
    def _parameters(self) -> int:
        return sum(item.parameters for weights in self._owned.values() for item in weights)

    @cached_property
    def _noun(self) -> str:
        weights = (item for weights in self._owned.values() for item in weights)
        return "weight" if all(owner_of(item) == item.name for item in weights) else "layer"

    @cached_property
    def _owners_of_node(self) -> Mapping[int, Sequence[str]]:
        """The layers whose variable a node is."""
        return self._by_node(lambda node: (node,))

    @cached_property
    def _owners_of_reader(self) -> Mapping[int, Sequence[str]]:
        """The layers with whose variables a node computes."""
        return self._by_node(lambda node: readers_of(self.graph, node, self.folded.consumers))

    def _by_node(self, nodes_of: Callable[[int], Iterable[int]]) -> Mapping[int, Sequence[str]]:
        owners: dict[int, list[str]] = {}
        for owner, items in self._held.items():
            for item in items:
                if item.name in self.graph.variables:
                    for node in nodes_of(self.graph.variables[item.name]):
                        owners.setdefault(node, []).append(owner)
        return owners

    @staticmethod
    def _owners_at(nodes: Iterable[int], owners: Mapping[int, Sequence[str]]) -> set[str]:
        return {owner for node in nodes for owner in owners.get(node, ())}


def owner_of(variable: Variable) -> str:
    """Return the layer of a variable; the object that holds it where no layer is known, else the
    variable's own name."""
    if variable.layer is not None:
        return variable.layer
    holder = variable.name.partition("@")[2].rpartition(".")[0]
    return holder.replace(".", "/") or variable.name


def _may_learn(variable: Variable) -> bool:
    return variable.trainable and variable.verdict in (Verdict.FLOWS, Verdict.UNKNOWN)
