"""Report the weights that the call itself writes to, whatever gradient they get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gradflow.catalogue import entry
from gradflow.diagnose.causes import cause_of
from gradflow.diagnose.evidence import Evidence
from gradflow.findings import Cause, Finding, Role, Severity, Variable, Verdict
from gradflow.flow.assignments import rewritten
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph

_LOST = "each call overwrites it at {op}: what an optimizer changes is lost"
_RENEWED = "each call computes it anew from its own value at {op}, where no gradient comes through"
_RENEWED_FIX = (
    "harmless where the optimizer is to move the value before that computation; else compute it in "
    "each call without assigning it"
)


def overwritten_findings(evidence: Evidence, variables: Sequence[Variable]) -> Iterator[Finding]:
    """Report the trainable weights with a way to the output that every call assigns as a whole."""
    graph = evidence.graph
    if graph is None or not graph.assignments:
        return
    names = [
        variable.name
        for variable in variables
        if variable.role is Role.WEIGHT
        and variable.trainable
        and variable.cuts_to_restore is not None
    ]
    item = entry("GF211")
    lost, renewed = rewritten(graph, names)
    for cause, behind in _by_cause(evidence, graph, lost).items():
        yield item.finding(_LOST.format(op=_op(cause)), behind, cause)
    for cause, behind in _by_cause(evidence, graph, renewed).items():
        message = _RENEWED.format(op=_op(cause))
        yield item.finding(message, behind, cause, severity=Severity.NOTE, hint=_RENEWED_FIX)


def _by_cause(
    evidence: Evidence, graph: FlowGraph, writers: Mapping[str, int]
) -> Mapping[Cause, list[str]]:
    behind: dict[Cause, list[str]] = {}
    for name, node in writers.items():
        cause = cause_of(evidence, graph, Cut(node, Edge.CUT, None), Verdict.NONE)
        behind.setdefault(cause, []).append(name)
    return behind


def _op(cause: Cause) -> str:
    return f"{cause.op_type} {cause.op!r}"
