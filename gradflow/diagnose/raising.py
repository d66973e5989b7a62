"""Report each op at which TensorFlow raises an error, however many ways beside it stay open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradflow.catalogue import CATALOGUE, entry
from gradflow.diagnose.causes import cause_of
from gradflow.diagnose.evidence import Evidence
from gradflow.findings import Cause, Finding, Role, Severity, Variable, Verdict
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.routes import behind

_MESSAGE = "a training step raises {error} at {op}: {reason}"
_ERRORS = {
    "GF203": ("LookupError", "TensorFlow has no gradient for this op type"),
    "GF207": ("an error", "a gradient is forbidden there"),
    "GF210": ("LookupError", "its custom gradient was not saved"),
}


def raising_findings(
    evidence: Evidence, variables: Sequence[Variable], cuts: Sequence[Finding]
) -> Iterator[Finding]:
    """Report the ops at which TensorFlow raises an error, but those that ``cuts`` report already.

    One of them is enough for no weight to be trained, whatever verdicts the weights have.
    """
    weights = [
        variable.name
        for variable in variables
        if variable.role is Role.WEIGHT and variable.trainable
    ]
    graph = evidence.graph
    if graph is None:
        reported = {cut.cause.op_type for cut in cuts if cut.cause is not None}
        item = entry("GF203")
        for op_type in evidence.raising if weights else ():
            if op_type not in reported:
                yield _finding(item.cause(op_type=op_type), op_type, ())
        return
    if not any(name in graph.variables for name in weights):
        return
    reported_causes = {cut.cause for cut in cuts if cut.severity is Severity.ERROR}
    nodes_of: dict[Cause, set[int]] = {}
    for node in graph.raising:
        cause = cause_of(evidence, graph, Cut(node, Edge.CUT, None), Verdict.NONE)
        if cause not in reported_causes:
            nodes_of.setdefault(cause, set()).add(node)
    for cause, nodes in nodes_of.items():
        names = _behind(graph, nodes)
        op = f"{cause.op_type} {cause.op!r}"
        yield _finding(cause, op, [name for name in weights if name in names])


def _finding(cause: Cause, op: str, names: Sequence[str]) -> Finding:
    error, reason = _ERRORS[cause.code]
    message = _MESSAGE.format(error=error, op=op, reason=reason)
    return CATALOGUE[cause.code].finding(message, names, cause)


def _behind(graph: FlowGraph, nodes: set[int]) -> frozenset[str]:
    """The variables whose data goes through one of ``nodes``."""
    return frozenset().union(*(behind(graph, Cut(node, Edge.CUT, None)) for node in nodes))
