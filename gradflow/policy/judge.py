"""Judge one model's report by the expectations of it: which are kept, which are broken."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from gradflow.catalogue import entry
from gradflow.findings import (
    Acceptance,
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
from gradflow.patterns import TAKEN_OUT, all_covered, covering, covers, matches
from gradflow.policy.expectations import FROZEN_PATTERNS, MODEL_PATH, CutExpectation, Expectations
from gradflow.policy.ignored import parted, with_ignored
from gradflow.policy.short_patterns import short_patterns
from gradflow.policy.unmatched import unmatched
from gradflow.text import as_json

_NARROW = "narrow one of the two patterns"
_FEW = 3
"""Layers that have a finding each where they froze weights against the expectation."""
_STARVED = (Verdict.NONE, Verdict.ZERO, Verdict.NONFINITE)


def judge(model: ModelReport, expected: Expectations, today: date) -> ModelReport:
    """Compare ``model`` with what is ``expected``: mark accepted findings, add findings for
    broken expectations.

    A model that could not be checked stays as it is. Ignores come last, so that they can also cover
    what an expectation added; ``today`` decides which of them have expired.
    """
    if model.status is Status.FAILED:
        return model
    weights = [variable for variable in model.variables if variable.role is Role.WEIGHT]
    cuts = [_judged_cut(weights, cut) for cut in expected.cut]
    outcomes = (
        *_judged_list(
            weights, "frozen", expected.frozen or (), lambda weight: not weight.trainable
        ),
        *_judged_list(weights, "trainable", expected.trainable, _trains(model)),
        *cuts,
    )
    findings = (
        *_unexpected_trainable(weights, expected),
        *_unexpected_flow(cuts, weights),
        *unmatched(model, outcomes),
        *_with_accepted_cuts(
            _adjusted(model.findings, weights, expected, cuts), expected.cut, cuts
        ),
        *_unexpected_frozen(model, weights, expected),
    )
    return with_ignored(
        replace(model, findings=findings, expectations=outcomes), expected.ignore, today
    )


def is_broken(model: ModelReport, fail_on: Severity) -> bool:
    """Return whether an expectation is not kept, or a finding is at least as severe as
    ``fail_on``."""
    order = list(Severity)
    worst = order.index(fail_on)
    bad = any(order.index(finding.severity) <= worst for finding in model.open_findings)
    return bad or any(
        not expectation.is_kept and expectation.kind != "ignore"
        for expectation in model.expectations
    )


def _with_accepted_cuts(
    findings: Iterable[Finding],
    expected: Sequence[CutExpectation],
    outcomes: Sequence[Expectation],
) -> Iterator[Finding]:
    """Mark as accepted what is said of weights that are cut off as ``expected``."""
    kept = [
        (outcome.variables, Acceptance(cut.stands_at or "expect.cut", cut.reason))
        for cut, outcome in zip(expected, outcomes, strict=True)
        if outcome.is_kept
    ]
    for finding in findings:
        parts: tuple[Finding, ...] = (finding,)
        for names, acceptance in kept:
            parts = tuple(piece for part in parts for piece in parted(part, names, acceptance))
        yield from parts


def _adjusted(
    findings: Iterable[Finding],
    weights: Iterable[Variable],
    expected: Expectations,
    cuts: Sequence[Expectation],
) -> Iterator[Finding]:
    """Adjust findings to the expectations.

    A file without any freeze flags is a note, and an error where flags are expected. A doubt about
    flags (GF102) is a note where an expectation asks for the flag that each weight has. A gradient
    that stays zero (GF303) is an error where the weight is expected to train. Where
    weights are cut off by another op than expected, the hint says what was expected.
    """
    answered = {weight.name for weight in weights if _is_as_expected(weight, expected)}
    broken = [
        cut
        for cut, outcome in zip(expected.cut, cuts, strict=True)
        if outcome.status is ExpectationStatus.BROKEN
    ]
    trained = [
        weight.name
        for weight in weights
        if any(covers(pattern, weight) for pattern in expected.trainable)
    ]
    for finding in findings:
        if finding.code == "GF102" and not finding.variables and expected.frozen is not None:
            yield replace(finding, severity=Severity.ERROR)
            continue
        if (
            finding.code == "GF102"
            and finding.variables
            and not finding.is_of_the_past
            and answered.issuperset(finding.variables)
        ):
            yield replace(finding, severity=Severity.NOTE)
            continue
        meant = next((cut for cut in broken if _is_about(finding, cut)), None)
        hint = finding.hint if meant is None else f"{finding.hint} (expect.cut says: by {meant.by})"
        yield from _judged_zeros(replace(finding, hint=hint), trained)


def _judged_zeros(finding: Finding, trained: Collection[str]) -> Iterator[Finding]:
    """Make an error of gradients that stay zero, for those weights that are expected to train."""
    if finding.code != "GF303" or finding.severity is not Severity.WARNING:
        yield finding
        return
    within = tuple(name for name in finding.variables if name in trained)
    rest = tuple(name for name in finding.variables if name not in trained)
    if within:
        yield replace(finding, variables=within, severity=Severity.ERROR)
    if rest:
        yield replace(finding, variables=rest)


def _is_as_expected(weight: Variable, expected: Expectations) -> bool:
    """Return whether an expectation asks for the freeze flag that the weight has."""
    patterns = expected.trainable if weight.trainable else expected.frozen or ()
    return covering(patterns, weight) is not None


def _is_about(finding: Finding, cut: CutExpectation) -> bool:
    """Return whether the finding is about weights of the expectation, and names another reason than
    expected."""
    cause = finding.cause
    if cause is None or cut.by.casefold() in _words(cause):
        return False
    return any(matches(cut.variables, name) for name in finding.variables)


def _judged_list(
    weights: Sequence[Variable],
    kind: str,
    patterns: Sequence[str],
    keeps: Callable[[Variable], bool],
) -> Iterator[Expectation]:
    """Judge each pattern of a list by the weights that the list as a whole covers; one that takes
    weights out is kept where it does."""
    in_the_end = all_covered(patterns, weights)
    for number, pattern in enumerate(patterns):
        if pattern.startswith(TAKEN_OUT):
            before = all_covered(patterns[:number], weights)
            taken_out = pattern.removeprefix(TAKEN_OUT)
            outcome = _judged(before, kind, taken_out, lambda weight: True)
            yield replace(outcome, pattern=pattern)
        else:
            yield _judged(in_the_end, kind, pattern, keeps)


def _judged(
    weights: Sequence[Variable], kind: str, pattern: str, keeps: Callable[[Variable], bool]
) -> Expectation:
    covered = [weight for weight in weights if covers(pattern, weight)]
    breaking = [weight for weight in covered if not keeps(weight)]
    if not covered:
        status = ExpectationStatus.UNMATCHED
    else:
        status = ExpectationStatus.BROKEN if breaking else ExpectationStatus.KEPT
    return Expectation(kind, pattern, status, tuple(weight.name for weight in breaking or covered))


def _judged_cut(weights: Sequence[Variable], cut: CutExpectation) -> Expectation:
    return _judged(weights, "cut", cut.variables, lambda weight: _is_cut_by(weight, cut.by))


def _is_cut_by(variable: Variable, by: str) -> bool:
    """Return whether the variable gets no gradient, and every cause is the expected one."""
    is_meant = all(by.casefold() in _words(cause) for cause in variable.causes)
    return variable.verdict in _STARVED and bool(variable.causes) and is_meant


def _words(cause: Cause) -> set[str]:
    """Return the words by which an expectation can name the cause."""
    return {word.casefold() for word in (cause.code, cause.kind, cause.op_type or "")}


def _trains(model: ModelReport) -> Callable[[Variable], bool]:
    """Return a test: is a weight trainable, and does its gradient flow, or lack for a harmless
    reason that a note tells?"""
    starved = {
        name
        for finding in model.findings
        if finding.severity is not Severity.NOTE
        for name in finding.variables
    }
    return lambda weight: (
        weight.trainable and (weight.verdict not in _STARVED or weight.name not in starved)
    )


def _unexpected_frozen(
    model: ModelReport, weights: Sequence[Variable], expected: Expectations
) -> Iterator[Finding]:
    """Report frozen weights (GF401), without those that no layer tracks (GF103).

    Each layer that froze some has its finding; more than a few of them share one.
    """
    untracked = {
        name for finding in model.findings if finding.code == "GF103" for name in finding.variables
    }
    item = entry("GF401")
    objections: dict[tuple[str, str | None], dict[str | None, list[str]]] = {}
    for weight in weights:
        if weight.trainable or weight.name in untracked:
            continue
        objection = _objection_to_freezing(weight, expected)
        if objection is not None:
            freezers = objections.setdefault(objection, {})
            freezers.setdefault(weight.frozen_by, []).append(weight.name)
    for (reason, hint), freezers in objections.items():
        hint = hint or _how_to_accept(model, weights, expected)
        layers = [layer for layer in freezers if layer is not None]
        if len(layers) > _FEW:
            names = [name for layer in layers for name in freezers.pop(layer)]
            who = f"frozen by trainable=False of {layers[0]} and {len(layers) - 1:,} more layers"
            yield item.finding(f"{who}, but {reason}", names, item.cause(), hint=hint)
        for layer, names in freezers.items():
            who = (
                f"frozen by {layer}.trainable=False"
                if layer
                else "frozen (not among the file's trainable variables)"
            )
            yield item.finding(f"{who}, but {reason}", names, item.cause(layer=layer), hint=hint)


def _how_to_accept(model: ModelReport, weights: Sequence[Variable], expected: Expectations) -> str:
    """Say how to accept all that is frozen, and that it can be unfrozen."""
    tracked = [weight for weight in weights if not weight.trainable]
    patterns = short_patterns(tracked, [weight for weight in weights if weight.trainable])
    accepting = expected.accepting.replace(MODEL_PATH, shlex.quote(model.path))
    accepting = accepting.replace(FROZEN_PATTERNS, as_json(patterns, indent=None))
    return f"if it is meant, {accepting}; else unfreeze the layer that is named and save again"


def _objection_to_freezing(
    weight: Variable, expected: Expectations
) -> tuple[str, str | None] | None:
    """Return why a frozen weight should not be frozen, and what to do, None where it can be
    accepted with all others; None for both where it is expected."""
    asking = covering(expected.trainable, weight)
    allowing = covering(expected.frozen or (), weight)
    if asking is not None and allowing is not None:
        reason = (
            f"expect.trainable {asking!r} and expect.frozen {allowing!r} contradict each other "
            f"about it"
        )
        return reason, _NARROW
    if asking is not None:
        reason = f"expect.trainable {asking!r} asks for a gradient"
        return reason, "unfreeze the layer that is named and save again, or narrow the pattern"
    if allowing is not None:
        return None
    if expected.frozen:
        return "no pattern of expect.frozen covers it", entry("GF401").fix
    hint = None if expected.frozen is None else entry("GF401").fix
    return "nothing is expected to be frozen", hint


def _unexpected_trainable(weights: Sequence[Variable], expected: Expectations) -> Iterator[Finding]:
    """Report trainable weights that expect.frozen covers (GF402), and contradictions with
    expect.trainable."""
    trainable = [weight for weight in weights if weight.trainable]
    in_the_end = all_covered(expected.frozen or (), trainable)
    for pattern in expected.frozen or ():
        covered = [weight for weight in in_the_end if covers(pattern, weight)]
        both = [
            weight.name for weight in covered if covering(expected.trainable, weight) is not None
        ]
        rest = [weight.name for weight in covered if weight.name not in both]
        if rest:
            yield _not_frozen(f"trainable, but expect.frozen {pattern!r} says frozen", rest)
        if both:
            text = (
                f"trainable, but expect.frozen {pattern!r} says frozen, and expect.trainable "
                f"contradicts it"
            )
            yield _not_frozen(text, both, _NARROW)


def _unexpected_flow(cuts: Iterable[Expectation], weights: Sequence[Variable]) -> Iterator[Finding]:
    """Report expected cuts that are gone (GF402); a cut by another op has its own finding."""
    flowing = {weight.name for weight in weights if weight.verdict is Verdict.FLOWS}
    for cut in cuts:
        names = [
            name
            for name in cut.variables
            if cut.status is ExpectationStatus.BROKEN and name in flowing
        ]
        if names:
            text = f"a gradient arrives, but expect.cut {cut.pattern!r} says that none does"
            yield _not_frozen(text, names, "put the cut back, or remove the expectation")


def _not_frozen(message: str, names: Sequence[str], hint: str | None = None) -> Finding:
    item = entry("GF402")
    return item.finding(message, names, item.cause(), hint=hint)
