"""Write a report as JUnit XML: a suite for each model, with a case for the model itself and one
for each of its expectations."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from xml.etree import ElementTree as ET

from gradflow.catalogue import CATALOGUE
from gradflow.findings import Anchor, Expectation, Failure, Finding, ModelReport, Report, Severity
from gradflow.lazy_dataclass import dataclass
from gradflow.report.accepted import name_of
from gradflow.report.anchors import anchor_of, portable
from gradflow.report.finding_line import sentence
from gradflow.report.headline import statement, title
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.model_parts import behind, by_name, by_severity, end_of_way
from gradflow.report.people.blocks import danger_lines, finding_lines
from gradflow.report.people.lines import joined, page_of
from gradflow.report.people.path_picture import known_cuts
from gradflow.report.words import counted
from gradflow.text import shown

_WIDTH = 100
_OF_EXPECTATIONS = {code for code, item in CATALOGUE.items() if item.breaks_expectation}


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
    """What there is to say besides the outcome."""


def render(report: Report, layout: Layout = PLAIN) -> str:
    """Return the XML as pytest lays it out, without times and host names.

    A finding of severity error or warning, and an expectation that is not kept, is a failure; a
    model that could not be checked is an error; one whose verdicts are unknown is skipped, since
    nothing was tested. To a stream that is not UTF-8 the XML is ASCII, which is UTF-8 as well.
    """
    suites = [(model, list(_cases(model))) for model in report.models]
    counts: Counter[tuple[str, str]] = Counter()
    root = ET.Element(
        "testsuites",
        {"name": "gradflow", **_counts([case for _, cases in suites for case in cases])},
    )
    for model, cases in suites:
        suite = ET.SubElement(root, "testsuite", {"name": title(model), **_counts(cases)})
        location = _location(model, anchor_of(model, layout.anchors))
        classname = location["classname"]
        for case in cases:
            key = (classname, case.name)
            counts[key] += 1
            # GitLab takes two cases of one name for one.
            name = case.name if counts[key] == 1 else f"{case.name} ({counts[key]})"
            suite.append(_element(case, {"classname": classname, "name": name, **location}))
    ET.indent(root)
    text = f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
    is_utf8 = codecs.lookup(layout.encoding).name == "utf-8"
    return text if is_utf8 else text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _location(model: ModelReport, anchor: Anchor) -> dict[str, str]:
    # Jenkins takes what stands before the last dot for a package.
    location = {
        "classname": f"gradflow.{shown(model.name or model.path).replace('.', '_')}",
        "file": shown(portable(anchor.path)),
    }
    return location if anchor.line is None else {**location, "line": str(anchor.line)}


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
        facts = {"type": case.kind} if case.kind else {}
        facts["message"] = case.message
        ET.SubElement(element, case.outcome.value, facts).text = case.text or None
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
    by_expectation = _by_expectation(model)
    elsewhere = {id(finding) for findings in by_expectation for finding in findings}
    yield _model_case(
        model, [finding for finding in by_severity(model) if id(finding) not in elsewhere]
    )
    for expectation, findings in zip(model.expectations, by_expectation, strict=True):
        yield _expectation_case(model, expectation, findings)


def _failed(model: ModelReport, failure: Failure) -> _Case:
    text = shown(failure.hint)
    if model.findings:
        page = page_of(Layout(_WIDTH, show_all=True))
        text += "\n" + joined(danger_lines(model, page), color=False)
    return _Case(title(model), _Outcome.ERROR, shown(failure.code), shown(failure.message), text)


def _model_case(model: ModelReport, findings: Sequence[Finding]) -> _Case:
    broken = [finding for finding in findings if finding.severity is not Severity.NOTE]
    notes = [finding for finding in findings if finding.severity is Severity.NOTE]
    accepted = model.accepted_findings
    output = "\n".join(
        [
            statement(model),
            *(f"note {line}" for line in _lines(model, notes)),
            *(
                f"accepted by {name_of(finding.accepted)}: {line}"
                for finding, line in zip(accepted, _lines(model, accepted), strict=True)
                if finding.accepted is not None
            ),
        ]
    )
    if broken:
        more = f" (and {counted(len(broken) - 1, 'more finding')})" if len(broken) > 1 else ""
        message = f"{next(_lines(model, broken))}{more}"
        return _Case(
            title(model),
            _Outcome.FAILURE,
            kind=shown(broken[0].code),
            message=message,
            text=_text(model, broken),
            output=output,
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
    message = "; ".join(_lines(model, findings)) or f"{status}: {_title(expectation)}"
    return _Case(_title(expectation), _Outcome.FAILURE, status, message, _text(model, findings))


def _title(expectation: Expectation) -> str:
    return f"{shown(expectation.kind)}: {shown(expectation.pattern)}"


def _by_expectation(model: ModelReport) -> list[list[Finding]]:
    """Return for each expectation the findings that say why it is not kept, each finding once."""
    findings: list[list[Finding]] = [[] for _ in model.expectations]
    for finding in by_severity(model):
        if finding.code in _OF_EXPECTATIONS:
            numbers = (
                number
                for number, expectation in enumerate(model.expectations)
                if _is_about(finding, expectation)
            )
            first = next(numbers, None)
            if first is not None:
                findings[first].append(finding)
    return findings


def _is_about(finding: Finding, expectation: Expectation) -> bool:
    if expectation.is_kept:
        return False
    return (
        not set(finding.variables).isdisjoint(expectation.variables)
        or expectation.pattern in finding.message
    )


def _lines(model: ModelReport, findings: Iterable[Finding]) -> Iterator[str]:
    variables = by_name(model)
    for finding in findings:
        yield f"{shown(finding.code)}: {sentence(finding, behind(finding, variables))}"


def _text(model: ModelReport, findings: Sequence[Finding]) -> str:
    page, variables, cuts = page_of(Layout(_WIDTH)), by_name(model), known_cuts(model)
    blocks = (
        finding_lines(finding, behind(finding, variables), cuts, end_of_way(model, finding), page)
        for finding in findings
    )
    return "".join(f"\n{joined(block, color=False)}" for block in blocks)
