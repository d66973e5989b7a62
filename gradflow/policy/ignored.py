"""Take out of a report what the user ignores."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

from gradflow.findings import Expectation, ExpectationStatus, Finding, ModelReport, Variable
from gradflow.patterns import covers
from gradflow.policy.expectations import Ignore
from gradflow.policy.unmatched import unmatched_ignore


def without(finding: Finding, names: Collection[str]) -> Finding | None:
    """Return ``finding`` without the variables ``names``; None where no variable is left."""
    rest = tuple(name for name in finding.variables if name not in names)
    if rest == finding.variables:
        return finding
    return replace(finding, variables=rest) if rest else None


def without_ignored(model: ModelReport, ignores: Sequence[Ignore], today: date) -> ModelReport:
    """Take out what ``ignores`` cover, and count each as a kept expectation, so that nothing is
    hidden in silence.

    An ignore that has expired hides nothing; one that matches nothing is a finding itself.
    """
    findings = list(model.findings)
    variables = {variable.name: variable for variable in model.variables}
    outcomes: list[Expectation] = []
    for ignore in ignores:
        hidden = [
            tuple(
                name for name in finding.variables if _hides(ignore, finding, variables.get(name))
            )
            for finding in findings
        ]
        names = tuple(dict.fromkeys(itertools.chain.from_iterable(hidden)))
        is_expired = ignore.until is not None and ignore.until < today
        if not names:
            outcomes.append(
                Expectation("ignore", ignore.variables, ExpectationStatus.UNMATCHED, ())
            )
            findings.append(unmatched_ignore(model, ignore.variables, ignore.codes, is_expired))
        elif is_expired:
            outcomes.append(
                Expectation("ignore", ignore.variables, ExpectationStatus.BROKEN, names)
            )
            findings = [
                _with_expiry(finding, some, ignore)
                for finding, some in zip(findings, hidden, strict=True)
            ]
        else:
            outcomes.append(Expectation("ignore", ignore.variables, ExpectationStatus.KEPT, names))
            shown = (without(*pair) for pair in zip(findings, hidden, strict=True))
            findings = [finding for finding in shown if finding is not None]
    return replace(model, findings=tuple(findings), expectations=(*model.expectations, *outcomes))


def _hides(ignore: Ignore, finding: Finding, variable: Variable | None) -> bool:
    is_meant = not ignore.codes or finding.code in ignore.codes
    return is_meant and variable is not None and covers(ignore.variables, variable)


def _with_expiry(finding: Finding, names: Sequence[str], ignore: Ignore) -> Finding:
    if not names:
        return finding
    return replace(
        finding, hint=f"{finding.hint} (the ignore {ignore.variables!r} expired on {ignore.until})"
    )
