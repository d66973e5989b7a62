"""A report to JUnit XML: a suite for each model, a case for the model and one for each of its
expectations."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from xml.etree import ElementTree as ET

from gradflow.findings import Anchor, Expectation, Failure, Finding, ModelReport, Report, Severity
from gradflow.report.anchors import anchor_of, portable
from gradflow.report.finding_line import behind, in_order, named, sentence
from gradflow.report.headline import statement, title
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.people.blocks import finding_lines, threat_lines
from gradflow.report.people.lines import joined, page_of
from gradflow.report.people.path_picture import known_cuts
from gradflow.report.words import counted
from gradflow.text import shown

_WIDTH = 100
_OF_EXPECTATIONS = ("GF401", "GF402", "GF403")


class _Outcome(Enum):
    PASSED = "passed"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    outcome: _Outcome
    kind: str = ""
    """The code of the worst finding, or the status of the expectation."""
    message: str = ""
    text: str = ""
    output: str = ""
    """What is said beside the outcome."""


def render(report: Report, layout: Layout = PLAIN) -> str:
    """Return the XML as pytest lays it out, without times and host names.

    A finding of severity error or warning, and an expectation that is not kept, is a failure; a
    model that could not be checked is an error; one whose verdicts are unknown is skipped, since
    nothing was tested. To a stream that is not UTF-8 the XML is ASCII, which is UTF-8 as well.
    """
    suites = [(model, list(_cases(model))) for model in report.models]
    taken: Counter[tuple[str, str]] = Counter()
    root = ET.Element(
        "testsuites",
        {"name": "gradflow", **_counts([case for _, cases in suites for case in cases])},
    )
    for model, cases in suites:
        suite = ET.SubElement(root, "testsuite", {"name": title(model), **_counts(cases)})
        given = _place(model, anchor_of(model, layout.anchors))
        for case in cases:
            key = (given["classname"], case.name)
            taken[key] += 1
            # GitLab takes two cases of one name for one.
            name = case.name if taken[key] == 1 else f"{case.name} ({taken[key]})"
            suite.append(_element(case, {"classname": given["classname"], "name": name, **given}))
    ET.indent(root)
    text = f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
    is_utf8 = codecs.lookup(layout.encoding).name == "utf-8"
    return text if is_utf8 else text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _place(model: ModelReport, anchor: Anchor) -> dict[str, str]:
    # Jenkins takes what stands before the last dot for a package.
    place = {
        "classname": f"gradflow.{shown(model.name or model.path).replace('.', '_')}",
        "file": shown(portable(anchor.path)),
    }
    return place if anchor.line is None else {**place, "line": str(anchor.line)}


def _counts(cases: Sequence[_Case]) -> dict[str, str]:
    count = Counter(case.outcome for case in cases)
    return {
        "tests": str(len(cases)),
        "failures": str(count[_Outcome.FAILURE]),
        "errors": str(count[_Outcome.ERROR]),
        "skipped": str(count[_Outcome.SKIPPED]),
    }


def _element(case: _Case, attributes: Mapping[str, str]) -> ET.Element:
    element = ET.Element("testcase", dict(attributes))
    if case.outcome is not _Outcome.PASSED:
        said = (
            {"type": case.kind, "message": case.message} if case.kind else {"message": case.message}
        )
        ET.SubElement(element, case.outcome.value, said).text = case.text or None
    if case.output:
        ET.SubElement(element, "system-out").text = case.output
    return element


def _cases(model: ModelReport) -> Iterator[_Case]:
    if model.error is not None:
        yield _failed(model, model.error)
        for expectation in model.expectations:
            yield _Case(
                _title(expectation), _Outcome.SKIPPED, message="the model could not be checked"
            )
        return
    taken = _by_expectation(model)
    elsewhere = {id(finding) for findings in taken for finding in findings}
    yield _model_case(
        model, [finding for finding in in_order(model) if id(finding) not in elsewhere]
    )
    for expectation, findings in zip(model.expectations, taken, strict=True):
        yield _expectation_case(model, expectation, findings)


def _failed(model: ModelReport, failure: Failure) -> _Case:
    text = shown(failure.hint)
    if model.findings:
        text += (
            f"\n{joined(threat_lines(model, page_of(Layout(_WIDTH, show_all=True))), color=False)}"
        )
    return _Case(title(model), _Outcome.ERROR, shown(failure.code), shown(failure.message), text)


def _model_case(model: ModelReport, findings: Sequence[Finding]) -> _Case:
    broken = [finding for finding in findings if finding.severity is not Severity.NOTE]
    notes = [finding for finding in findings if finding.severity is Severity.NOTE]
    output = "\n".join([statement(model), *(f"note {_line(model, finding)}" for finding in notes)])
    if broken:
        more = f" (and {counted(len(broken) - 1, 'more finding')})" if len(broken) > 1 else ""
        message = f"{_line(model, broken[0])}{more}"
        return _Case(
            title(model),
            _Outcome.FAILURE,
            shown(broken[0].code),
            message,
            _text(model, broken),
            output,
        )
    if model.summary.unknown:
        return _Case(title(model), _Outcome.SKIPPED, message=statement(model), output=output)
    return _Case(title(model), _Outcome.PASSED, output=output)


def _expectation_case(
    model: ModelReport, expectation: Expectation, findings: Sequence[Finding]
) -> _Case:
    if expectation.is_kept:
        return _Case(_title(expectation), _Outcome.PASSED)
    status = shown(expectation.status.value)
    lines = [_line(model, finding) for finding in findings]
    message = "; ".join(lines) or f"{status}: {_title(expectation)}"
    return _Case(_title(expectation), _Outcome.FAILURE, status, message, _text(model, findings))


def _title(expectation: Expectation) -> str:
    return f"{shown(expectation.kind)}: {shown(expectation.pattern)}"


def _by_expectation(model: ModelReport) -> list[list[Finding]]:
    """The findings that say why an expectation is not kept, for each expectation: each finding
    once."""
    taken: list[list[Finding]] = [[] for _ in model.expectations]
    for finding in in_order(model):
        if finding.code in _OF_EXPECTATIONS:
            places = (
                place for place, one in enumerate(model.expectations) if _is_about(finding, one)
            )
            place = next(places, None)
            if place is not None:
                taken[place].append(finding)
    return taken


def _is_about(finding: Finding, expectation: Expectation) -> bool:
    if expectation.is_kept:
        return False
    return (
        not set(finding.variables).isdisjoint(expectation.variables)
        or expectation.pattern in finding.message
    )


def _line(model: ModelReport, finding: Finding) -> str:
    return f"{shown(finding.code)}: {sentence(finding, behind(finding, named(model)))}"


def _text(model: ModelReport, findings: Sequence[Finding]) -> str:
    page, by_name, cuts = page_of(Layout(_WIDTH)), named(model), known_cuts(model)
    outputs = [output.name for output in model.outputs]
    blocks = [
        joined(finding_lines(finding, behind(finding, by_name), cuts, outputs, page), color=False)
        for finding in findings
    ]
    return "\n" + "\n".join(blocks) if blocks else ""
