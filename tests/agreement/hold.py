"""Hold a report against the truths of a case, with a line for each thing that is not as it should
be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gradflow.analysis.result import Analysis
from gradflow.catalogue import CATALOGUE
from gradflow.findings import Cause, Finding, ModelReport, Role, Severity, Variable, Verdict
from tests.models.functions.case import Truth

WARNINGS = {item.code for item in CATALOGUE.values() if item.severity is Severity.WARNING}


def complaints(report: ModelReport, truths: Mapping[str, Truth], static: bool = False) -> list[str]:
    """Hold every variable of a report against its truth.

    Args:
        report: what gradflow says.
        truths: by variable name.
        static: the report is a reading of the file alone, which knows no values.
    """
    if report.error is not None:
        return [f"not analysed: {report.error}"]
    found = []
    names = {variable.name for variable in report.variables if variable.role is Role.WEIGHT}
    if names != set(truths):
        found.append(f"the weights are {sorted(names)}, not {sorted(truths)}")
    for variable in report.variables:
        if variable.name in truths:
            truth = truths[variable.name]
            findings = [
                finding for finding in report.findings if variable.name in finding.variables
            ]
            problems = (
                _static_problems(variable, truth)
                if static
                else _problems(variable, truth, findings)
            )
            found += [f"{variable.name}: {problem}" for problem in problems]
    return found


def _static_problems(variable: Variable, truth: Truth) -> Iterable[str]:
    expected = (
        "flows"
        if truth.static is None and truth.verdict == "nonfinite"
        else truth.static or truth.verdict
    )
    if variable.verdict.value != expected:
        yield f"static verdict {variable.verdict.value}, not {expected}"
    elif truth.static is None and truth.verdict != "flows":
        yield from _cause_problems(variable.causes, truth)


def _problems(variable: Variable, truth: Truth, findings: list[Finding]) -> Iterable[str]:
    if variable.verdict.value != truth.verdict:
        yield f"verdict {variable.verdict.value}, not {truth.verdict}"
    if variable.cuts_to_restore != truth.cuts:
        yield f"cuts_to_restore {variable.cuts_to_restore}, not {truth.cuts}"
    if truth.verdict != "flows":
        yield from _cause_problems(variable.causes, truth)
    codes = {code for code, _ in truth.causes} | truth.raises
    if {finding.code for finding in findings} != codes:
        yield f"findings {sorted(finding.code for finding in findings)}, not {sorted(codes)}"
    for finding in findings:
        usual = Severity.WARNING if finding.code in WARNINGS else Severity.ERROR
        expected = Severity.NOTE if truth.note and finding.code != "GF102" else usual
        if finding.severity is not expected:
            yield f"{finding.code} is {finding.severity.value}, not {expected.value}"
        for word in truth.says:
            if word not in f"{finding.message} {finding.hint}":
                yield f"{finding.code} does not say {word!r}: {finding.message}"


def _cause_problems(causes: Iterable[Cause], truth: Truth) -> Iterable[str]:
    causes = tuple(causes)
    said = sorted({(cause.code, str(cause.op_type)) for cause in causes})
    wanted = sorted((code, str(kind)) for code, kind in truth.causes)
    meant = [
        {pair for pair in said if pair[0] == code and re.fullmatch(str(kind), pair[1])}
        for code, kind in truth.causes
    ]
    if not all(meant) or set(said) != set().union(*meant):
        yield f"causes {said}, not {wanted}"
        return
    for pattern, places in (
        (truth.at, [cause.op for cause in causes]),
        (truth.back, [cause.reenters_at for cause in causes]),
        (truth.layer, [cause.layer for cause in causes]),
    ):
        for place in places:
            if pattern is not None and re.search(pattern, str(place)) is None:
                yield f"{place!r} is not at {pattern!r}"


def hold_route(analysis: Analysis) -> None:
    """Check that the way of a variable says what the report says of it."""
    route = analysis.route
    assert route is not None
    variable = next(one for one in analysis.report.variables if one.name == route.variable)
    marked = [step.cause for step in route.steps if step.cause is not None]
    assert bool(route.steps) == (variable.cuts_to_restore is not None)
    assert not route.steps or route.steps[-1].fed or route.steps[-1].cause is not None
    if variable.verdict is Verdict.FLOWS:
        assert not marked
    elif (
        variable.cuts_to_restore and marked
    ):  # one that only this run's trips of a loop lead to is on no way
        assert len(set(marked)) == variable.cuts_to_restore  # one op in several calls is one cut
        assert marked[-1] in variable.causes
        cuts = list(dict.fromkeys(marked))
        assert [change.cause for change in route.changes][: len(cuts)] == cuts
        # Behind the cuts: an op that raises, and what still stops the gradient once they let it
        # through.
        further = {change.cause.code for change in route.changes[len(cuts) :]} - {"GF203"}
        is_restored = route.proof is None or route.proof.restored
        assert bool(further) != is_restored
    elif variable.verdict is not Verdict.UNKNOWN:
        assert {change.cause for change in route.changes} >= set(variable.causes)
        assert set(marked) <= set(variable.causes)
