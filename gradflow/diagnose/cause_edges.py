"""Find the edges of a graph at which the causes of a report stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradflow.diagnose.evidence import Evidence
from gradflow.findings import Carried, Variable, Verdict
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.layer_edges import Causes, downstream

_OF_ZERO = (Edge.ZERO, Edge.DEAD, Edge.UNTAKEN, Edge.OVERWRITTEN)
_SPOILS = (Verdict.ZERO, Verdict.NONFINITE)


def cause_edges(evidence: Evidence, graph: FlowGraph, weights: Sequence[Variable]) -> Causes:
    """Return where the causes of ``weights`` hold the gradient back from a weight, or spoil
    it."""
    edges: dict[int, Carried] = {}
    scene = _Scene(graph, weights)
    for op, held_back in _by_op(weights).items():
        cuts = _cuts_at(evidence, graph, op, held_back)
        for cut in cuts:
            edges.update(dict.fromkeys(scene.held_back(cut), _through(cut)))
        if not cuts:
            verdicts = {weight.verdict for weight in held_back}
            edges.update(dict.fromkeys(scene.spoilt(op), _through_spoiling(verdicts)))
    return Causes(edges, scene.bearing)


@dataclass(frozen=True)
class _Scene:
    graph: FlowGraph
    weights: Sequence[Variable]

    def held_back(self, cut: Cut) -> Iterable[int]:
        """Yield the edges at which ``cut`` holds gradient back from a weight, in all copies of its
        op."""
        for node in self._copies[self.graph.place(cut.node)]:
            for edge in range(self.graph.first[node], self.graph.first[node + 1]):
                kind = self.graph.kinds[edge]
                holds = kind != Edge.FLOW or cut.kind is Edge.DISCRETE
                has_gradient = kind not in (Edge.DISCRETE, Edge.FILL)
                if holds and has_gradient and self.bearing[self.graph.sources[edge]]:
                    yield edge

    def spoilt(self, op: str) -> Iterable[int]:
        """Yield the edges to ``op`` from what gets only zeros, or NaN."""
        for node in self.graph.named(op):
            for edge in range(self.graph.first[node], self.graph.first[node + 1]):
                if self._starved[self.graph.sources[edge]]:
                    yield edge

    @cached_property
    def _copies(self) -> Mapping[int, Sequence[int]]:
        copies: dict[int, list[int]] = {}
        for node in range(len(self.graph)):
            copies.setdefault(self.graph.place(node), []).append(node)
        return copies

    @cached_property
    def bearing(self) -> bytearray:
        """Marks the nodes that compute something from a weight."""
        return self._behind(self.weights)

    @cached_property
    def _starved(self) -> bytearray:
        return self._behind([weight for weight in self.weights if weight.verdict in _SPOILS])

    def _behind(self, weights: Iterable[Variable]) -> bytearray:
        variables = self.graph.variables
        names = (weight.name for weight in weights)
        return downstream(self.graph, [variables[name] for name in names if name in variables])


def _by_op(weights: Iterable[Variable]) -> Mapping[str, Sequence[Variable]]:
    held_back: dict[str, list[Variable]] = {}
    for weight in weights:
        for op in dict.fromkeys(cause.op for cause in weight.causes if cause.op is not None):
            held_back.setdefault(op, []).append(weight)
    return held_back


def _cuts_at(
    evidence: Evidence, graph: FlowGraph, op: str, weights: Iterable[Variable]
) -> Sequence[Cut]:
    """Return the cuts in the graph at ``op`` that hold ``weights`` back."""
    attributions = (evidence.attributions.get(weight.name) for weight in weights)
    causes = (cut for attribution in attributions if attribution for cut in attribution.causes)
    return list(dict.fromkeys(cut for cut in causes if graph.names[cut.node] == op))


def _through(cut: Cut) -> Carried:
    if cut.kind in _OF_ZERO:
        return Carried.ZERO
    return Carried.UNKNOWN if cut.kind is Edge.UNKNOWN else Carried.CUT


def _through_spoiling(verdicts: Iterable[Verdict]) -> Carried:
    """Return what comes through an op where a real step has seen the gradient lost or spoilt."""
    if Verdict.NONE in verdicts:
        return Carried.CUT
    return Carried.ZERO if Verdict.ZERO in verdicts else Carried.FLOWS
