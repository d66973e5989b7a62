"""One model's report and the expectations of it in, the report with what is kept and what is broken
out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from gradflow.catalogue import entry
from gradflow.findings import (
    Cause,
    Expectation,
    ExpectationStatus,
    Finding,
    ModelReport,
    Role,
    Severity,
    Status,
    Variable,
    Verdict,
)
from gradflow.patterns import covers, matches
from gradflow.policy.expectations import CutExpectation, Expectations
from gradflow.policy.ignored import without, without_ignored
from gradflow.policy.unmatched import unmatched

_STARVED = (Verdict.NONE, Verdict.ZERO, Verdict.NONFINITE)


def judge(model: ModelReport, expected: Expectations, today: date) -> ModelReport:
    """Hold ``model`` against ``expected``: findings that are accepted go, those of what is broken
    come.

    A model that could not be checked stays as it is. Ignores come last, so that they can name what
    an expectation brought as well; ``today`` decides which of them still hold.
    """
    if model.status is Status.FAILED:
        return model
    weights = [variable for variable in model.variables if variable.role is Role.WEIGHT]
    cuts = [_held_cut(weights, one) for one in expected.cut]
    outcomes = (
        *(
            _held(weights, "frozen", pattern, lambda one: not one.trainable)
            for pattern in expected.frozen or ()
        ),
        *(_held(weights, "trainable", pattern, _trains(model)) for pattern in expected.trainable),
        *cuts,
    )
    accepted = {name for outcome in cuts if outcome.is_kept for name in outcome.variables}
    findings = (
        *_unexpected_frozen(model, weights, expected),
        *_unexpected_trainable(weights, expected),
        *_unexpected_flow(cuts, weights),
        *unmatched(model, outcomes),
        *(
            kept
            for one in _weighed(model.findings, expected, cuts)
            if (kept := without(one, accepted)) is not None
        ),
    )
    return without_ignored(
        replace(model, findings=findings, expectations=outcomes), expected.ignore, today
    )


def is_broken(model: ModelReport, fail_on: Severity) -> bool:
    """Whether an expectation is not kept, or a finding is as bad as ``fail_on``."""
    order = list(Severity)
    bad = any(order.index(finding.severity) <= order.index(fail_on) for finding in model.findings)
    return bad or any(not one.is_kept and one.kind != "ignore" for one in model.expectations)


def _weighed(
    findings: Iterable[Finding], expected: Expectations, cuts: Sequence[Expectation]
) -> Iterator[Finding]:
    """What the expectations make of findings.

    That a file records no flags at all is a note, and an error where flags are expected: nobody can
    look at them. Of weights that are cut off by something else than expected, what was expected is
    told.
    """
    for one in findings:
        if one.code == "GF102" and not one.variables and expected.frozen is not None:
            yield replace(one, severity=Severity.ERROR)
            continue
        broken = (
            cut
            for cut, outcome in zip(expected.cut, cuts, strict=True)
            if outcome.status is ExpectationStatus.BROKEN
        )
        other = next((cut for cut in broken if _is_about(one, cut)), None)
        yield (
            one
            if other is None
            else replace(one, hint=f"{one.hint} (expect.cut says: by {other.by})")
        )


def _is_about(finding: Finding, cut: CutExpectation) -> bool:
    """Whether it names weights of the expectation and something else that cuts them off."""
    cause = finding.cause
    if cause is None or cut.by.casefold() in _words(cause):
        return False
    return any(matches(cut.variables, name) for name in finding.variables)


def _held(
    weights: Sequence[Variable], kind: str, pattern: str, keeps: Callable[[Variable], bool]
) -> Expectation:
    covered = [one for one in weights if covers(pattern, one)]
    breaking = [one for one in covered if not keeps(one)]
    if not covered:
        status = ExpectationStatus.UNMATCHED
    else:
        status = ExpectationStatus.BROKEN if breaking else ExpectationStatus.KEPT
    return Expectation(kind, pattern, status, tuple(one.name for one in breaking or covered))


def _held_cut(weights: Sequence[Variable], cut: CutExpectation) -> Expectation:
    return _held(weights, "cut", cut.variables, lambda one: _is_cut_by(one, cut.by))


def _is_cut_by(variable: Variable, by: str) -> bool:
    """Whether it gets no gradient, and every cause is the one that is meant."""
    wanted = by.casefold()
    is_meant = all(wanted in _words(cause) for cause in variable.causes)
    return variable.verdict in _STARVED and bool(variable.causes) and is_meant


def _words(cause: Cause) -> set[str]:
    """What an expectation may call it."""
    return {word.casefold() for word in (cause.code, cause.kind, cause.op_type or "")}


def _trains(model: ModelReport) -> Callable[[Variable], bool]:
    """Trainable, and the gradient flows or lacks for a harmless reason only: a note says then that
    it will come."""
    starved = {
        name
        for one in model.findings
        if one.severity is not Severity.NOTE
        for name in one.variables
    }
    return lambda one: one.trainable and (one.verdict not in _STARVED or one.name not in starved)


def _unexpected_frozen(
    model: ModelReport, weights: Sequence[Variable], expected: Expectations
) -> Iterator[Finding]:
    """GF401, one for each layer that froze them; what no layer tracks is GF103 already."""
    untracked = {
        name for finding in model.findings if finding.code == "GF103" for name in finding.variables
    }
    groups: dict[tuple[str | None, str, str], list[str]] = {}
    for one in weights:
        if one.trainable or one.name in untracked:
            continue
        asked = next((pattern for pattern in expected.trainable if covers(pattern, one)), None)
        allowed = next((pattern for pattern in expected.frozen or () if covers(pattern, one)), None)
        if asked is not None and allowed is not None:
            reason = (
                f"expect.trainable {asked!r} and expect.frozen {allowed!r} contradict each "
                f"other about it"
            )
            hint = "narrow one of the two patterns"
        elif asked is not None:
            reason = f"expect.trainable {asked!r} asks for a gradient"
            hint = "unfreeze the layer that is named and save again, or narrow the pattern"
        elif allowed is None:
            reason = (
                "no pattern of expect.frozen covers it"
                if expected.frozen
                else "nothing is expected to be frozen"
            )
            hint = entry("GF401").fix
        else:
            continue
        groups.setdefault((one.frozen_by, reason, hint), []).append(one.name)
    for (layer, reason, hint), names in groups.items():
        who = (
            f"frozen by {layer}.trainable=False"
            if layer
            else "frozen (left out of the trainable variables)"
        )
        yield _finding("GF401", f"{who}, but {reason}", names, layer, hint)


def _unexpected_trainable(weights: Sequence[Variable], expected: Expectations) -> Iterator[Finding]:
    """GF402, one for each pattern; where expect.trainable covers the weight as well, the
    contradiction is told."""
    for pattern in expected.frozen or ():
        covered = [one for one in weights if one.trainable and covers(pattern, one)]
        both = [
            one.name for one in covered if any(covers(other, one) for other in expected.trainable)
        ]
        rest = [one.name for one in covered if one.name not in both]
        if rest:
            yield _finding("GF402", f"trainable, but expect.frozen {pattern!r} says frozen", rest)
        if both:
            text = (
                f"trainable, but expect.frozen {pattern!r} says frozen, and expect.trainable "
                f"contradicts it"
            )
            yield _finding("GF402", text, both, hint="narrow one of the two patterns")


def _unexpected_flow(cuts: Iterable[Expectation], weights: Sequence[Variable]) -> Iterator[Finding]:
    """GF402 where a cut that is expected is gone; one by another op has its own finding."""
    flowing = {one.name for one in weights if one.verdict is Verdict.FLOWS}
    for cut in cuts:
        names = [
            name
            for name in cut.variables
            if cut.status is ExpectationStatus.BROKEN and name in flowing
        ]
        if names:
            text = f"a gradient arrives, but expect.cut {cut.pattern!r} says that none does"
            yield _finding(
                "GF402", text, names, hint="put the cut back, or take the expectation out"
            )


def _finding(
    code: str, message: str, names: Sequence[str], layer: str | None = None, hint: str = ""
) -> Finding:
    cause = Cause(code, entry(code).kind, None, None, layer, None, None)
    return Finding(code, Severity.ERROR, message, hint or entry(code).fix, tuple(names), cause)
