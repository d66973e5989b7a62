"""Cuts in, causes with their codes out."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.catalogue import entry
from gradflow.diagnose.evidence import Evidence, Sighting
from gradflow.files.model_file import StoredVariable
from gradflow.findings import LEFT_OUT, Cause, Verdict
from gradflow.flow.attribute import Attribution, Cut
from gradflow.flow.graph import Edge, FlowGraph, Mark
from gradflow.flow.op_rules import SHAPE_OPS, OpSpec, Rule, spec

_CODES = {
    Rule.STOP: "GF201",
    Rule.NONDIFF: "GF202",
    Rule.UNREGISTERED: "GF203",
    Rule.UNKNOWN: "GF203",
    Rule.DISABLED: "GF207",
    Rule.OPAQUE: "GF208",
}
_SEEN = {
    Edge.DEAD: "GF303",
    Edge.UNTAKEN: "GF302",
    Edge.OVERWRITTEN: "GF302",
    Edge.NONFINITE: "GF304",
}
_RAISING = ("GF203", "GF207")
_EXITS = ("Exit", "RefExit")
"""Of a loop of TensorFlow 1: a cut where the loop was made with ``back_prop=False``, and only
there."""
_PATH_ENDS = 100
"""Ops kept at either end of a long path."""
_BRANCHES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
_PLUMBING = frozenset(
    "_Arg Placeholder VarHandleOp VariableV2 ReadVariableOp Identity IdentityN PartitionedCall "
    "StatefulPartitionedCall If StatelessIf Case StatelessCase While StatelessWhile Enter Exit "
    "NextIteration "
    "Switch Merge".split()
)


def causes(evidence: Evidence, variable: StoredVariable, verdict: Verdict) -> tuple[Cause, ...]:
    """Say why ``variable`` has ``verdict``; empty where the gradient flows.

    Where nobody can tell, the op types that nothing is known about are the reason.
    """
    if verdict is Verdict.FLOWS:
        return ()
    if verdict is Verdict.UNKNOWN:
        return _unknown_ops(evidence, variable)
    sightings = evidence.sightings.get(variable.name, ())
    if verdict is Verdict.NONFINITE:
        return tuple(dict.fromkeys(seen_cause(one, verdict) for one in sightings)) or (
            simple("GF304"),
        )
    if evidence.graph is None:
        # The step ran, so there is no graph because the code cannot be traced: eager Python, such
        # as ``x.numpy()``.
        return (simple("GF303" if verdict is Verdict.ZERO else "GF208"),)
    found = evidence.attributions.get(variable.name)
    if found is None or found.cuts_to_restore is None:
        return (simple("GF206"),)
    if found.cuts_to_restore == 0 and sightings:
        return tuple(dict.fromkeys(seen_cause(one, verdict) for one in sightings))
    if found.cuts_to_restore == 0:
        return (_alive_in_the_graph(evidence, evidence.graph, found, verdict),)
    named = [cause_of(evidence, evidence.graph, cut, verdict) for cut in found.causes]
    return tuple(dict.fromkeys(named))


def contradicts(found: Attribution | None, verdict: Verdict, graph: FlowGraph) -> bool:
    """Whether the tape's ``verdict`` cannot be true if the graph is (GF209)."""
    reaches = found is not None and found.cuts_to_restore == 0
    if verdict is Verdict.NONE and found is not None and reaches:
        return not leads_through_branch(graph, found)
    if reaches or verdict not in (Verdict.FLOWS, Verdict.NONFINITE):
        return False
    # Where zeros are filled in, a custom gradient of the user's can make anything of them.
    is_made_of_zeros = (
        found is not None and found.zero_filled and any(mark & Mark.CUSTOM for mark in graph.marks)
    )
    return not is_made_of_zeros


def leads_through_branch(graph: FlowGraph, found: Attribution) -> bool:
    """Whether the way to the output goes through a cond or case, which may not be taken."""
    return _branch(graph, found) is not None


def simple(code: str) -> Cause:
    """A cause that no single op stands for."""
    return Cause(code, entry(code).kind, None, None, None, None, None)


def seen_cause(sighting: Sighting, verdict: Verdict) -> Cause:
    """The cause that a sighting shows, of a variable with ``verdict``."""
    op = sighting.op_type or ""
    code = _SEEN.get(sighting.kind) or _code(op, spec(op), sighting.kind, sighting.mark, verdict)
    kind, back, source = entry(code).kind, sighting.reenters_at, sighting.source
    return Cause(code, kind, sighting.op, sighting.op_type, sighting.layer, back, source)


def visible_path(graph: FlowGraph, found: Attribution, reasons: Sequence[Cause]) -> tuple[str, ...]:
    """The names of the ops from the variable to the output, without what only passes a value on and
    is no cause.

    Of a very long way the ends and the cuts are kept, with ``...`` for what is left out: the full
    paths of all variables of a deep model would fill a hundred megabytes.
    """
    named = {cause.op for cause in reasons}
    # Of a loop or branch that is a cause the last node stands in the path: there the gradient comes
    # in.
    last = {graph.names[node]: node for node in found.path if graph.names[node] in named}
    nodes = [node for node in found.path if is_visible(graph, node) or node in last.values()]
    if len(nodes) <= 2 * _PATH_ENDS:
        return tuple(graph.names[node] for node in nodes)
    cuts = {cut.node for cut in found.causes}.union(
        node for node in nodes if graph.names[node] in named
    )
    path: list[str] = []
    for place, node in enumerate(nodes):
        if place < _PATH_ENDS or place >= len(nodes) - _PATH_ENDS or node in cuts:
            path.append(graph.names[node])
        elif path[-1] != LEFT_OUT:
            path.append(LEFT_OUT)
    return tuple(path)


def is_visible(graph: FlowGraph, node: int) -> bool:
    """Whether a node is an op of the user's, and not one that only passes a value on."""
    return graph.ops[node] not in _PLUMBING


def _alive_in_the_graph(
    evidence: Evidence, graph: FlowGraph, found: Attribution, verdict: Verdict
) -> Cause:
    branch = _branch(graph, found)
    if branch is not None:
        return _named(evidence, graph, "GF302", branch, None)
    return simple("GF303" if verdict is Verdict.ZERO else "GF209")


def _branch(graph: FlowGraph, found: Attribution) -> int | None:
    branches = (node for node in found.path if graph.ops[node] in _BRANCHES)
    return next((node for node in branches if not graph.marks[node] & Mark.GATE), None)


def cause_of(evidence: Evidence, graph: FlowGraph, cut: Cut, verdict: Verdict) -> Cause:
    """Name ``cut`` as what holds back a variable with ``verdict``."""
    op = graph.ops[cut.node]
    code = _code(op, spec(op) or graph.op_specs.get(op), cut.kind, graph.marks[cut.node], verdict)
    return _named(evidence, graph, code, cut.node, cut.reenters_at)


def _code(op: str, known: OpSpec | None, kind: Edge, mark: int, verdict: Verdict) -> str:
    if kind is Edge.ZERO:
        return "GF301"
    if op in _EXITS:
        return "GF207"
    by_rule = "GF203" if known is None else _CODES.get(known.rule, "GF204")
    # TensorFlow raises an error for these, wherever they stand: they fill in no zeros.
    if verdict is Verdict.ZERO and mark & Mark.CONTROLLED and by_rule not in _RAISING:
        return "GF302"
    if op in SHAPE_OPS:
        return "GF204"
    if kind is Edge.DISCRETE:
        return "GF202"
    if mark & Mark.CUSTOM:
        return "GF210" if mark & Mark.LOST else "GF205"
    return by_rule


def _named(
    evidence: Evidence, graph: FlowGraph, code: str, node: int, reentry: int | None
) -> Cause:
    name = graph.names[node]
    return Cause(
        code=code,
        kind=entry(code).kind,
        op=name,
        op_type=graph.ops[node],
        layer=evidence.layer_of(node),
        reenters_at=None if reentry is None else graph.names[reentry],
        source=evidence.source_of(node),
    )


def has_unknown_op(graph: FlowGraph, cuts: Sequence[Cut]) -> bool:
    """Whether one of ``cuts`` is an op type that nobody knows, so that a static reading cannot
    tell."""
    return any(_is_unknown(graph, cut) for cut in cuts)


def _is_unknown(graph: FlowGraph, cut: Cut) -> bool:
    return cut.kind is Edge.UNKNOWN or spec(graph.ops[cut.node]) is None


def _unknown_ops(evidence: Evidence, variable: StoredVariable) -> tuple[Cause, ...]:
    graph, found = evidence.graph, evidence.attributions.get(variable.name)
    if graph is None or found is None:
        return ()
    cuts = [cut for cut in found.causes if _is_unknown(graph, cut)]
    return tuple(dict.fromkeys(_named(evidence, graph, "GF203", cut.node, None) for cut in cuts))
