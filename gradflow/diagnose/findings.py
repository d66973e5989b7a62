"""Conclude from all evidence what the report says of each variable and of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from gradflow.catalogue import entry, in_step
from gradflow.catalogue.gf1_flags import UNTRAINABLE
from gradflow.diagnose.causes import (
    causes_of,
    contradicts,
    denies,
    sighted_cause,
)
from gradflow.diagnose.evidence import Evidence, Mover, OtherUse, Sighting
from gradflow.diagnose.flags import flag_findings
from gradflow.diagnose.overwritten import overwritten_findings
from gradflow.diagnose.raising import raising_findings
from gradflow.diagnose.route import way_in_layers
from gradflow.diagnose.scale import scale_findings
from gradflow.diagnose.visible_paths import VisiblePaths
from gradflow.diagnose.where import Whereabouts
from gradflow.diagnose.wording import HOW_TO_THAW, moved, other_use, word
from gradflow.files.model_file import StoredVariable, parameter_count
from gradflow.findings import (
    Cause,
    Confidence,
    Finding,
    Role,
    Variable,
    Verdict,
    Way,
    example,
)
from gradflow.flow.nearest import Nearest, nearest_branch
from gradflow.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why weights get no gradient: a cause, and what else is known of it for them."""

    cause: Cause
    sighting: Sighting | None
    uncovered: tuple[str, ...] | None
    other: OtherUse | None
    mover: Mover | None


def diagnose(evidence: Evidence) -> tuple[tuple[Variable, ...], tuple[Finding, ...]]:
    """Return every variable with its verdict and causes, and the findings for the user."""
    paths = None if evidence.graph is None else VisiblePaths(evidence.graph)
    branches = None if evidence.graph is None else nearest_branch(evidence.graph)
    variables = tuple(_variable(evidence, stored, paths, branches) for stored in evidence.variables)
    untracked = {stored.name for stored in evidence.variables if stored.untracked}
    tracked = [variable for variable in variables if variable.name not in untracked]
    by_name = {variable.name: variable for variable in variables}
    where = None if evidence.graph is None else Whereabouts(evidence, evidence.graph, by_name)
    cuts = tuple(_cut_findings(evidence, variables, where))
    findings = (
        *cuts,
        *raising_findings(evidence, variables, cuts),
        *overwritten_findings(evidence, variables),
        *scale_findings(evidence),
        *flag_findings(evidence),
    )
    findings = (*findings, *_frozen_findings(tracked))
    if evidence.is_of_step:
        findings = tuple(replace(finding, hint=in_step(finding.hint)) for finding in findings)
    return variables, findings


def _variable(
    evidence: Evidence,
    stored: StoredVariable,
    paths: VisiblePaths | None,
    branches: Nearest | None,
) -> Variable:
    attribution = evidence.attributions.get(stored.name)
    verdict, confidence = _verdict(evidence, stored)
    causes: tuple[Cause, ...] = ()
    path: tuple[str, ...] = ()
    cuts: int | None = 0 if verdict is Verdict.FLOWS else None
    if stored.role is Role.WEIGHT:
        graph = evidence.graph
        disagree = denies(evidence, stored.name, verdict)
        is_open = stored.name not in evidence.sightings and evidence.measurements is not None
        if is_open and graph is not None and branches is not None:
            disagree = disagree or contradicts(attribution, verdict, graph, branches)
        causes = (
            (entry("GF209").cause(),)
            if disagree
            else causes_of(evidence, stored, verdict, branches)
        )
        if attribution is not None and paths is not None and verdict is not Verdict.FLOWS:
            path, cuts = paths.names(attribution, causes), attribution.cuts_to_restore
            if cuts == 0:
                sightings = evidence.sightings.get(stored.name, ())
                cuts = max((sighting.cuts_to_restore for sighting in sightings), default=0)
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
        causes=causes,
        cuts_to_restore=cuts,
        path=path,
        layer_path=stored.layer_path,
        declared_trainable=stored.declared_trainable,
        has_open_flag=stored.has_open_flag,
    )


def _verdict(evidence: Evidence, stored: StoredVariable) -> tuple[Verdict, Confidence]:
    attribution = evidence.attributions.get(stored.name)
    if evidence.measurements is not None:
        measured = evidence.measurements.get(stored.name)
        verdict = Verdict.NONE if measured is None else measured.verdict
        is_alone = evidence.graph is None and stored.name not in evidence.second
        return verdict, Confidence.MEASURED if is_alone else Confidence.CONFIRMED
    if evidence.graph is None:
        return Verdict.UNKNOWN, Confidence.STATIC
    if attribution is None:
        return Verdict.NONE, Confidence.STATIC
    if attribution.cuts_to_restore == 0:
        return Verdict.FLOWS, Confidence.STATIC
    if not attribution.is_certain:
        return Verdict.UNKNOWN, Confidence.STATIC
    return (Verdict.ZERO if attribution.zero_filled else Verdict.NONE), Confidence.STATIC


def _cut_findings(
    evidence: Evidence, variables: Iterable[Variable], where: Whereabouts | None
) -> Iterable[Finding]:
    """Make one finding of each cause, with the trainable weights behind it: a frozen weight needs
    no gradient.

    Where a step has seen the same at several ops, and the same weights are behind each of them,
    that is one finding (the gates of a recurrent layer).
    """
    behind: dict[_Reason, list[str]] = {}
    for variable in variables:
        if variable.trainable:
            sightings = {
                sighted_cause(evidence, sighting, variable.verdict): sighting
                for sighting in evidence.sightings.get(variable.name, ())
            }
            for cause in variable.causes:
                reason = _Reason(
                    cause,
                    sightings.get(cause),
                    _uncovered(evidence, variable.name),
                    other_use(evidence, cause, variable.name),
                    evidence.movers.get(variable.name),
                )
                behind.setdefault(reason, []).append(variable.name)
    alike: dict[tuple[_Reason, tuple[str, ...]], list[_Reason]] = {}
    for reason, weights in behind.items():
        alike.setdefault((_without_place(reason), tuple(weights)), []).append(reason)
    for (first, *others), names in _absorbed(alike):
        wording = word(
            evidence,
            first.cause,
            first.sighting,
            first.uncovered,
            further=[reason.cause for reason in others],
            other=first.other,
        )
        if first.mover is not None:
            wording = moved(wording, first.mover)
        finding = entry(first.cause.code).finding(
            wording.message, names, first.cause, severity=wording.severity, hint=wording.fix
        )
        yield finding if where is None else _placed(finding, where)


def _absorbed(
    alike: Mapping[tuple[_Reason, tuple[str, ...]], list[_Reason]],
) -> Iterator[tuple[list[_Reason], tuple[str, ...]]]:
    """Yield the reasons of each finding and its weights: where a step has seen the same at another
    op of the same part of a layer, with more weights behind it, that one says it all (the
    subtraction and the division of one normalization)."""
    groups: dict[object, list[tuple[frozenset[str], list[_Reason]]]] = {}
    for (reason, names), reasons in alike.items():
        groups.setdefault(_part(reason, reasons), []).append((frozenset(names), reasons))
    for (reason, names), reasons in alike.items():
        same = groups[_part(reason, reasons)] if reason.sighting is not None else []
        own = frozenset(names)
        if not any(own < others for others, _ in same):
            inner = [item for weights, more in same if weights < own for item in more]
            yield [*reasons, *inner], names


def _part(reason: _Reason, reasons: Sequence[_Reason]) -> object:
    """Return what is the same for all ops of one part of a layer at which the same was seen."""
    cause = reasons[0].cause
    return reason, cause.layer, (cause.op or "").rpartition("/")[0]


def _uncovered(evidence: Evidence, name: str) -> tuple[str, ...] | None:
    """Return the outputs without a loss that the weight leads to; None where no op reads it."""
    if evidence.graph is not None and name not in evidence.graph.variables:
        return None
    return evidence.uncovered.get(name, ())


def _placed(finding: Finding, where: Whereabouts) -> Finding:
    """Say where the cut of ``finding`` stands, with its weights in the order of the model."""
    names = tuple(where.in_order(finding.variables))
    cause = finding.cause
    cut = where.cut_of(cause, names[0]) if cause is not None else None
    if cause is None or cut is None:
        return replace(finding, variables=names)
    drawn = example([where.variables[name] for name in names], cause)
    return replace(
        finding,
        variables=names,
        between=where.between(cut, names[0]),
        reach=where.reach(cut, names),
        way=None
        if drawn is None
        else Way(drawn.name, way_in_layers(where, drawn), where.end_of(drawn.name)),
    )


def _without_place(reason: _Reason) -> _Reason:
    """Return what is the same where a step has seen it at several ops."""
    if reason.sighting is None:
        return reason
    seen = replace(reason.sighting, op=None, op_type=None, layer=None, source=None)
    return replace(reason, cause=entry(reason.cause.code).cause(), sighting=seen)


def _frozen_findings(variables: Iterable[Variable]) -> Iterable[Finding]:
    frozen: dict[str | None, list[str]] = {}
    for variable in variables:
        if variable.role is Role.WEIGHT and not variable.trainable:
            frozen.setdefault(variable.frozen_by, []).append(variable.name)
    item = entry("GF101")
    for layer, names in frozen.items():
        message = item.message.format(layer=layer) if layer else UNTRAINABLE
        hint = None if layer else HOW_TO_THAW
        yield item.finding(message, names, item.cause(layer=layer), hint=hint)
