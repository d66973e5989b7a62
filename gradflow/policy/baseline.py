"""A judged report and its baseline in, the report of what is new out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gradflow.catalogue import entry
from gradflow.findings import (
    Cause,
    Expectation,
    ExpectationStatus,
    Finding,
    ModelReport,
    Severity,
    Status,
)
from gradflow.policy.compare import ChangeKind, Known, WeightChange, compare
from gradflow.policy.ignored import without
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


def accept(model: ModelReport, base: Known) -> ModelReport:
    """Take out what ``base`` has already, and report what has changed since (GF404).

    What became worse is an error, beside its own finding; what became better, is new or gone is a
    note, so that the baseline can be taken anew.
    """
    if model.status is Status.FAILED:
        return model
    base = aligned(base, [one.name for one in model.variables])
    findings: list[Finding] = []
    for one in model.findings:
        old = [
            name
            for name in one.variables
            if name in base.weights and one.code in base.weights[name].codes
        ]
        rest = without(one, old)
        findings += [] if rest is None else [rest]
    outcomes = tuple(_accepted(one, base) for one in model.expectations)
    return replace(
        model, findings=(*_changes(compare(base, model)), *findings), expectations=outcomes
    )


def _accepted(outcome: Expectation, base: Known) -> Expectation:
    """An expectation counts as kept where it was broken by these weights before."""
    known = [
        name for name in outcome.variables if name in base.weights and base.weights[name].codes
    ]
    is_old = outcome.status is ExpectationStatus.BROKEN and len(known) == len(outcome.variables)
    return replace(outcome, status=ExpectationStatus.KEPT) if is_old else outcome


def _changes(changes: tuple[WeightChange, ...]) -> Iterator[Finding]:
    groups: dict[tuple[ChangeKind, str], list[str]] = {}
    for one in changes:
        groups.setdefault((one.kind, one.detail), []).append(one.name)
    for (kind, detail), names in groups.items():
        text = f"{_WORDS[kind]}{f' ({detail})' if detail else ''} since the baseline was taken"
        if kind is ChangeKind.GONE:
            text += f": {', '.join(names[:_SHOWN])}" + (
                f" and {len(names) - _SHOWN:,} more" if names[_SHOWN:] else ""
            )
            names = []  # they are no variables of this report
        severity = Severity.ERROR if kind in _WORSE else Severity.NOTE
        cause = Cause("GF404", entry("GF404").kind, None, None, None, None, None)
        yield Finding("GF404", severity, text, entry("GF404").fix, tuple(names), cause)
