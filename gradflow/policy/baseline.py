"""Mark what a baseline accepts in a judged report, and report what has changed since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gradflow.catalogue import entry
from gradflow.findings import (
    Acceptance,
    Expectation,
    ExpectationStatus,
    Finding,
    ModelReport,
    Severity,
    Status,
)
from gradflow.policy.compare import ChangeKind, Snapshot, WeightChange, compare
from gradflow.policy.ignored import parted
from gradflow.policy.names import aligned

_WORSE = (ChangeKind.FROZEN, ChangeKind.UNFROZEN, ChangeKind.LOST)
_WORDS = {
    ChangeKind.FROZEN: "frozen",
    ChangeKind.UNFROZEN: "unfrozen",
    ChangeKind.LOST: "has lost its gradient",
    ChangeKind.GAINED: "has gained a gradient",
    ChangeKind.VERDICT: "has another verdict",
    ChangeKind.NEW: "new",
    ChangeKind.GONE: "gone",
}
_SHOWN = 3


def accept(model: ModelReport, base: Snapshot) -> ModelReport:
    """Accept the findings that ``base`` has too, and report what has changed since (GF404).

    A weight that became worse is an error, beside its own finding. One that became better, is new
    or is gone is a note: then a new baseline can be taken.
    """
    if model.status is Status.FAILED:
        return model
    base = aligned(base, [variable.name for variable in model.variables])
    acceptance = Acceptance(base.path or "baseline", "known when the baseline was taken")
    findings: list[Finding] = []
    for finding in model.findings:
        accepted = [
            name
            for name in finding.variables
            if name in base.weights and finding.code in base.weights[name].codes
        ]
        findings += parted(finding, accepted, acceptance)
    outcomes = tuple(_accepted(outcome, base) for outcome in model.expectations)
    return replace(
        model, findings=(*_changes(compare(base, model)), *findings), expectations=outcomes
    )


def _accepted(outcome: Expectation, base: Snapshot) -> Expectation:
    """Count an expectation as kept where the same weights broke it before."""
    is_old = outcome.status is ExpectationStatus.BROKEN and all(
        name in base.weights and base.weights[name].codes for name in outcome.variables
    )
    return replace(outcome, status=ExpectationStatus.KEPT) if is_old else outcome


def _changes(changes: tuple[WeightChange, ...]) -> Iterator[Finding]:
    groups: dict[tuple[ChangeKind, str], list[str]] = {}
    for change in changes:
        groups.setdefault((change.kind, change.detail), []).append(change.name)
    item = entry("GF404")
    for (kind, detail), names in groups.items():
        text = item.message.format(change=f"{_WORDS[kind]}{f' ({detail})' if detail else ''}")
        if kind is ChangeKind.GONE:
            text += f": {', '.join(names[:_SHOWN])}" + (
                f" and {len(names) - _SHOWN:,} more" if names[_SHOWN:] else ""
            )
            names = []  # they are no variables of this report
        severity = Severity.ERROR if kind in _WORSE else Severity.NOTE
        yield item.finding(text, names, item.cause(), severity=severity)
