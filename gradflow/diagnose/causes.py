"""Choose the code of each cause: of a cut, of a measured loss, of a missing path."""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.catalogue import BY_EDGE, BY_MARK, BY_RULE, CodeEntry, entry
from gradflow.diagnose.evidence import Evidence, Sighting
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Cause, Verdict
from gradflow.flow.assignments import feeding
from gradflow.flow.attribute import Attribution
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph, Mark
from gradflow.flow.nearest import Nearest
from gradflow.flow.op_rules import OpSpec, Rule, spec
from gradflow.ops.families import SHAPE_OPS, WEIGHTLESS

_EXITS = ("Exit", "RefExit")
"""Of a loop of TensorFlow 1: a cut where the loop was made with ``back_prop=False``, and only
there."""


def causes_of(
    evidence: Evidence, variable: StoredVariable, verdict: Verdict, branches: Nearest | None
) -> tuple[Cause, ...]:
    """Say why ``variable`` has ``verdict``; empty where the gradient flows.

    Where the verdict is unknown, the ops of unknown types are named. ``branches`` are those on the
    paths of the graph, where there is one.
    """
    if verdict is Verdict.FLOWS:
        return ()
    if verdict is Verdict.UNKNOWN:
        return _unknown_ops(evidence, variable)
    sightings = evidence.sightings.get(variable.name, ())
    if verdict is Verdict.NONFINITE:
        return _sighted_causes(evidence, sightings, verdict) or (entry("GF304").cause(),)
    if evidence.graph is None or branches is None:
        # The step ran, so there is no graph because the code cannot be traced: eager Python, such
        # as ``x.numpy()``.
        return (entry("GF303" if verdict is Verdict.ZERO else "GF208").cause(),)
    attribution = evidence.attributions.get(variable.name)
    if attribution is None or attribution.cuts_to_restore is None:
        return (_unused(evidence, evidence.graph, variable.name),)
    if attribution.cuts_to_restore == 0 and sightings:
        return _sighted_causes(evidence, sightings, verdict)
    if attribution.cuts_to_restore == 0:
        branch = branches.node(attribution)
        if branch is not None:
            return (_cause_at(evidence, evidence.graph, entry("GF302"), branch),)
        return (entry("GF303" if verdict is Verdict.ZERO else "GF209").cause(),)
    causes = [cause_of(evidence, evidence.graph, cut, verdict) for cut in attribution.causes]
    return tuple(dict.fromkeys(causes))


def contradicts(
    attribution: Attribution | None, verdict: Verdict, graph: FlowGraph, branches: Nearest
) -> bool:
    """Return whether the tape's ``verdict`` cannot be true if the graph is (GF209); ``branches``
    are those on its paths."""
    reaches = attribution is not None and attribution.cuts_to_restore == 0
    if verdict is Verdict.NONE and attribution is not None and reaches:
        return branches.node(attribution) is None
    if reaches or verdict not in (Verdict.FLOWS, Verdict.NONFINITE):
        return False
    # Where zeros are filled in, a custom gradient of the user's can make anything of them.
    is_made_of_zeros = (
        attribution is not None
        and attribution.zero_filled
        and any(mark & Mark.CUSTOM for mark in graph.marks)
    )
    return not is_made_of_zeros


def denies(evidence: Evidence, name: str, verdict: Verdict) -> bool:
    """Return whether the reading of the file alone cannot be true if the tape's ``verdict`` of the
    weight ``name`` is (GF209)."""
    flows = evidence.second.get(name)
    if flows is None:
        return False
    return verdict is Verdict.NONE if flows else verdict in (Verdict.FLOWS, Verdict.NONFINITE)


def sighted_cause(evidence: Evidence, sighting: Sighting, verdict: Verdict) -> Cause:
    """Make a cause of what a real step has shown, for a variable with ``verdict``."""
    item = BY_EDGE.get(sighting.kind)
    if item is None or sighting.kind not in item.measured:
        op_type = sighting.op_type or ""
        item = _entry_of(op_type, spec(op_type), sighting.kind, sighting.mark, verdict)
    return item.cause(
        op=sighting.op,
        op_type=sighting.op_type,
        layer=evidence.layer(sighting.layer),
        reenters_at=sighting.reenters_at,
        source=sighting.source,
    )


def _sighted_causes(
    evidence: Evidence, sightings: Iterable[Sighting], verdict: Verdict
) -> tuple[Cause, ...]:
    causes = (sighted_cause(evidence, sighting, verdict) for sighting in sightings)
    return tuple(dict.fromkeys(causes))


def _unused(evidence: Evidence, graph: FlowGraph, name: str) -> Cause:
    """Return why no way leads from a variable to an output: its value may be put into another, or
    into a sum of which a derivative alone is used."""
    if graph.assignments and name in graph.variables:
        writer = feeding(graph).get(graph.variables[name])
        written = {item.variable for item in graph.assignments if item.node == writer}
        if writer is not None and graph.variables[name] not in written:
            return _cause_at(evidence, graph, BY_MARK[Mark.WRITES], writer)
    op = graph.idle.get(graph.variables.get(name, -1))
    if op is not None:
        return entry("GF204").cause(op=op)
    return entry("GF206").cause()


def cause_of(evidence: Evidence, graph: FlowGraph, cut: Cut, verdict: Verdict) -> Cause:
    """Make a cause of ``cut``, for a variable with ``verdict``."""
    op_type, mark = graph.ops[cut.node], graph.marks[cut.node]
    op_spec = spec(op_type) or graph.op_specs.get(op_type)
    item = _entry_of(op_type, op_spec, cut.kind, mark, verdict)
    return _cause_at(evidence, graph, item, cut.node, cut.reenters_at)


def _entry_of(
    op_type: str, op_spec: OpSpec | None, kind: Edge, mark: int, verdict: Verdict
) -> CodeEntry:
    """Choose the catalogue's entry for a cut by an edge of ``kind`` at an op."""
    if op_type == WEIGHTLESS:
        return entry("GF303")
    if kind is Edge.ZERO:
        return BY_EDGE[kind]
    for own in (Mark.WRITES, Mark.UNRECORDED):
        if mark & own:
            return BY_MARK[own]
    if op_type in _EXITS:
        return BY_RULE[Rule.DISABLED]
    by_rule = BY_RULE[Rule.UNKNOWN if op_spec is None else op_spec.rule]
    # TensorFlow raises an error for some, wherever they stand: they fill in no zeros.
    if verdict is Verdict.ZERO and mark & Mark.CONTROLLED and not by_rule.raises:
        return BY_MARK[Mark.CONTROLLED]
    if op_type in SHAPE_OPS:
        return BY_RULE[Rule.FLOW]
    if kind is Edge.DISCRETE:
        return BY_EDGE[kind]
    if mark & Mark.CUSTOM:
        return BY_MARK[Mark.LOST if mark & Mark.LOST else Mark.CUSTOM]
    return by_rule


def _cause_at(
    evidence: Evidence, graph: FlowGraph, item: CodeEntry, node: int, reentry: int | None = None
) -> Cause:
    return item.cause(
        op=graph.names[node],
        op_type=graph.ops[node],
        layer=evidence.layer_at(node),
        reenters_at=None if reentry is None else graph.names[reentry],
        source=evidence.source_of(node),
    )


def _is_unknown(graph: FlowGraph, cut: Cut) -> bool:
    return cut.kind is Edge.UNKNOWN or spec(graph.ops[cut.node]) is None


def _unknown_ops(evidence: Evidence, variable: StoredVariable) -> tuple[Cause, ...]:
    graph, attribution = evidence.graph, evidence.attributions.get(variable.name)
    if graph is None or attribution is None:
        return ()
    cuts = [cut for cut in attribution.causes if _is_unknown(graph, cut)]
    item = BY_RULE[Rule.UNKNOWN]
    return tuple(dict.fromkeys(_cause_at(evidence, graph, item, cut.node) for cut in cuts))
