"""Evidence in, the report's variables, findings and summary out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradflow.catalogue import entry
from gradflow.diagnose.causes import (
    causes,
    contradicts,
    has_unknown_op,
    seen_cause,
    simple,
    visible_path,
)
from gradflow.diagnose.evidence import Evidence, Sighting
from gradflow.diagnose.flags import flag_findings
from gradflow.diagnose.foreign import describe_foreign
from gradflow.diagnose.scale import scale_findings
from gradflow.files.model_file import StoredVariable, parameter_count
from gradflow.findings import Cause, Confidence, Finding, Role, Severity, Summary, Variable, Verdict
from gradflow.flow.graph import Edge

_NOTES = frozenset({"GF101"})
_WARNINGS = frozenset({"GF102", "GF206", "GF301", "GF302", "GF303", "GF305", "GF306"})
_DESCRIPTIONS = {
    "GF201": "gradient is stopped by {op}",
    "GF202": "gradient is cut by {op} (not differentiable)",
    "GF203": "gradient is cut by {op} (TensorFlow has no gradient for this op type)",
    "GF204": "only the shape or a non-differentiable input of {op} depends on it",
    "GF205": "the custom gradient at {op} returns None",
    "GF206": "no path to any {selected}output",
    "GF207": "gradient is disabled by {op}",
    "GF208": "{op} leaves TensorFlow: Python code without a gradient",
    "GF209": "the tape and the graph disagree: this is a fault of gradflow, please report it",
    "GF210": "the custom gradient of {op} was not saved",
    "GF301": "the gradient of {op} is always zero",
    "GF302": "TensorFlow fills in zeros at {op} (inside control flow)",
    "GF303": "a path exists, but the measured gradient is exactly zero",
    "GF304": "the gradient is NaN or Inf",
}

_LOSSLESS = "give the output that it leads to a loss in compile(), or remove the layer"
_SEEN = {
    Edge.DEAD: "gradient dies at {op}, which {detail}",
    Edge.UNTAKEN: "{op} {detail}: the way of these weights leads through it",
    Edge.OVERWRITTEN: "{op} {detail}, which does not use it",
    Edge.NONFINITE: "NaN or Inf is first made by {op} {detail}",
}


def diagnose(evidence: Evidence) -> tuple[tuple[Variable, ...], tuple[Finding, ...]]:
    """Join what file, graph and tape say: every variable with its verdict and causes, and what to
    tell the user."""
    variables = tuple(_variable(evidence, stored) for stored in evidence.variables)
    untracked = {stored.name for stored in evidence.variables if stored.untracked}
    frozen = [one for one in variables if one.name not in untracked]
    findings = (
        *_cut_findings(evidence, variables),
        *scale_findings(evidence),
        *flag_findings(evidence),
    )
    return variables, (*findings, *_frozen_findings(frozen))


def severity_of(code: str) -> Severity:
    """How much a finding of this code matters at worst; one that is seen to be harmless is a
    note."""
    if code in _NOTES:
        return Severity.NOTE
    return Severity.WARNING if code in _WARNINGS else Severity.ERROR


def summarize(variables: Sequence[Variable]) -> Summary:
    """Count; the verdicts are those of the weights that are not frozen."""
    weights = [variable for variable in variables if variable.role is Role.WEIGHT]
    alive = [variable for variable in weights if variable.trainable]
    counts = {
        verdict: sum(variable.verdict is verdict for variable in alive) for verdict in Verdict
    }
    return Summary(
        weights=len(weights),
        flows=counts[Verdict.FLOWS],
        none=counts[Verdict.NONE],
        zero=counts[Verdict.ZERO],
        nonfinite=counts[Verdict.NONFINITE],
        unknown=counts[Verdict.UNKNOWN],
        frozen=len(weights) - len(alive),
        state=len(variables) - len(weights),
        parameters=sum(variable.parameters for variable in weights),
        trainable_parameters=sum(variable.parameters for variable in alive),
    )


def _variable(evidence: Evidence, stored: StoredVariable) -> Variable:
    found = evidence.attributions.get(stored.name)
    verdict, confidence = _verdict(evidence, stored)
    reasons: tuple[Cause, ...] = ()
    path: tuple[str, ...] = ()
    cuts: int | None = 0 if verdict is Verdict.FLOWS else None
    if stored.role is Role.WEIGHT:
        graph = evidence.graph
        is_open = stored.name not in evidence.sightings and evidence.measurements is not None
        disagree = is_open and graph is not None and contradicts(found, verdict, graph)
        reasons = (simple("GF209"),) if disagree else causes(evidence, stored, verdict)
        if found is not None and graph is not None and verdict is not Verdict.FLOWS:
            path, cuts = visible_path(graph, found, reasons), found.cuts_to_restore
            if cuts == 0:
                cuts = max(
                    (one.cuts_to_restore for one in evidence.sightings.get(stored.name, ())),
                    default=0,
                )
        elif verdict in (Verdict.ZERO, Verdict.NONFINITE):
            cuts = 0
    measured = evidence.measurements.get(stored.name) if evidence.measurements is not None else None
    return Variable(
        name=stored.name,
        layer=stored.layer,
        shape=stored.shape,
        dtype=stored.dtype,
        parameters=parameter_count(stored.shape),
        role=stored.role,
        trainable=stored.trainable,
        frozen_by=stored.frozen_by,
        verdict=verdict,
        confidence=confidence,
        gradient=measured.gradient if measured is not None else None,
        causes=reasons,
        cuts_to_restore=cuts,
        path=path,
        place=stored.place,
    )


def _verdict(evidence: Evidence, stored: StoredVariable) -> tuple[Verdict, Confidence]:
    found = evidence.attributions.get(stored.name)
    if evidence.measurements is not None:
        measured = evidence.measurements.get(stored.name)
        verdict = Verdict.NONE if measured is None else measured.verdict
        return verdict, Confidence.MEASURED if evidence.graph is None else Confidence.CONFIRMED
    if evidence.graph is None:
        return Verdict.UNKNOWN, Confidence.STATIC
    if found is None:
        return Verdict.NONE, Confidence.STATIC
    if found.cuts_to_restore == 0:
        return Verdict.FLOWS, Confidence.STATIC
    if has_unknown_op(evidence.graph, found.causes):
        return Verdict.UNKNOWN, Confidence.STATIC
    return (Verdict.ZERO if found.zero_filled else Verdict.NONE), Confidence.STATIC


def _cut_findings(evidence: Evidence, variables: Iterable[Variable]) -> Iterable[Finding]:
    """One finding a cause, with the trainable weights behind it; a frozen weight misses nothing."""
    behind: dict[tuple[Cause, Sighting | None], list[str]] = {}
    for variable in variables:
        if variable.trainable:
            sightings = {
                seen_cause(one, variable.verdict): one
                for one in evidence.sightings.get(variable.name, ())
            }
            for cause in variable.causes:
                behind.setdefault((cause, sightings.get(cause)), []).append(variable.name)
    for (cause, sighting), names in behind.items():
        severity, text, hint = worded(evidence, cause, sighting)
        yield Finding(cause.code, severity, text, hint, tuple(names), cause)


def worded(
    evidence: Evidence, cause: Cause, sighting: Sighting | None
) -> tuple[Severity, str, str]:
    """How much ``cause`` matters, what it does in one line, and what to do; ``sighting`` is what
    was seen of it."""
    foreign = describe_foreign(cause, static=evidence.measurements is None)
    if foreign is not None:
        return foreign
    text = _text(evidence, cause, sighting)
    if cause.code == "GF206" and evidence.is_of_loss:
        return severity_of(cause.code), "no path to the compiled loss", _LOSSLESS
    if sighting is None:
        return severity_of(cause.code), text, entry(cause.code).fix
    severity = Severity.NOTE if sighting.harmless else severity_of(cause.code)
    return severity, text, sighting.fix or entry(cause.code).fix


def _text(evidence: Evidence, cause: Cause, sighting: Sighting | None) -> str:
    if sighting is not None and sighting.kind in _SEEN:
        return (
            _SEEN[sighting.kind].format(op=_op(cause), detail=sighting.detail)
            if cause.op
            else sighting.detail
        )
    if cause.code == "GF302" and cause.op_type == "StopGradient":
        return (
            f"gradient is stopped by {_op(cause)} inside control flow, where TensorFlow fills "
            f"in zeros"
        )
    text = _DESCRIPTIONS[cause.code].format(
        op=_op(cause), selected="selected " if evidence.selected else ""
    )
    return (
        text
        if cause.reenters_at is None
        else f"{text}; the data comes back at {cause.reenters_at!r}"
    )


def _op(cause: Cause) -> str:
    return f"{cause.op_type} {cause.op!r}" if cause.op is not None else "the model's code"


def _frozen_findings(variables: Iterable[Variable]) -> Iterable[Finding]:
    frozen: dict[str | None, list[str]] = {}
    for variable in variables:
        if variable.role is Role.WEIGHT and not variable.trainable:
            frozen.setdefault(variable.frozen_by, []).append(variable.name)
    for layer, names in frozen.items():
        reason = (
            f"frozen by {layer}.trainable=False" if layer else "left out of the trainable variables"
        )
        cause = Cause("GF101", entry("GF101").kind, None, None, layer, None, None)
        yield Finding(
            "GF101", severity_of("GF101"), reason, entry("GF101").fix, tuple(names), cause
        )
