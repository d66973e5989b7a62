"""Mark in a report what the user ignores as accepted."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

from gradflow.findings import (
    Acceptance,
    Expectation,
    ExpectationStatus,
    Finding,
    ModelReport,
    Variable,
)
from gradflow.patterns import covers
from gradflow.policy.expectations import Ignore
from gradflow.policy.unmatched import unmatched_ignore


def parted(finding: Finding, names: Collection[str], acceptance: Acceptance) -> tuple[Finding, ...]:
    """Part ``finding`` into what is accepted, its variables ``names``, and what is left of it.

    One that is accepted already stays as it is.
    """
    accepted = tuple(name for name in finding.variables if name in names)
    if not accepted or finding.accepted is not None:
        return (finding,)
    rest = tuple(name for name in finding.variables if name not in names)
    left = (replace(finding, variables=rest),) if rest else ()
    return (replace(finding, variables=accepted, accepted=acceptance), *left)


def with_ignored(model: ModelReport, ignores: Sequence[Ignore], today: date) -> ModelReport:
    """Mark what ``ignores`` cover as accepted, and count each as a kept expectation, so that
    nothing is hidden in silence.

    An ignore that has expired accepts nothing; one that matches nothing is a finding itself.
    """
    findings = list(model.findings)
    variables = {variable.name: variable for variable in model.variables}
    outcomes: list[Expectation] = []
    for ignore in ignores:
        covered = [
            tuple(
                name for name in finding.variables if _covers(ignore, finding, variables.get(name))
            )
            for finding in findings
        ]
        names = tuple(dict.fromkeys(itertools.chain.from_iterable(covered)))
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
                for finding, some in zip(findings, covered, strict=True)
            ]
        else:
            outcomes.append(Expectation("ignore", ignore.variables, ExpectationStatus.KEPT, names))
            acceptance = Acceptance(ignore.stands_at or "ignore", ignore.reason)
            findings = [
                part
                for finding, some in zip(findings, covered, strict=True)
                for part in parted(finding, some, acceptance)
            ]
    return replace(model, findings=tuple(findings), expectations=(*model.expectations, *outcomes))


def _covers(ignore: Ignore, finding: Finding, variable: Variable | None) -> bool:
    is_meant = not ignore.codes or finding.code in ignore.codes
    is_open = finding.accepted is None
    return is_open and is_meant and variable is not None and covers(ignore.variables, variable)


def _with_expiry(finding: Finding, names: Sequence[str], ignore: Ignore) -> Finding:
    if not names:
        return finding
    return replace(
        finding, hint=f"{finding.hint} (the ignore {ignore.variables!r} expired on {ignore.until})"
    )
