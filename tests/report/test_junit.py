"""The JUnit XML: well-formed whatever the names, its counts are those of its cases, and what is not
kept fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from gradflow.findings import (
    Cause,
    Expectation,
    ExpectationStatus,
    Finding,
    Report,
    Severity,
    Verdict,
)
from gradflow.report.anchors import Anchor
from gradflow.report.junit import render
from gradflow.report.layout import Layout
from tests.examples import examples
from tests.report.reports import (
    CANONICAL,
    HOSTILE,
    TOOL,
    analyzed,
    expectations,
    frozen,
    hostile,
    two_towers,
    unknown,
    weight,
)
from tests.report.strategies import reports

OUTCOMES = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def suites_of(report: Report, **layout: Any) -> list[ET.Element]:
    """The suites, after their counts are held against their cases."""
    root = ET.fromstring(render(report, Layout(**layout)))
    assert [suite.tag for suite in root] == ["testsuite"] * len(report.models)
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        assert int(element.attrib["tests"]) == len(cases)
        for plural, tag in OUTCOMES.items():
            assert int(element.attrib[plural]) == sum(case.find(tag) is not None for case in cases)
    names = [(case.attrib["classname"], case.attrib["name"]) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    assert all("." not in classname.removeprefix("gradflow.") for classname, _ in names)
    return list(root)


def outcomes(report: Report) -> dict[str, str]:
    """How each case ended, by its name."""
    return {
        case.attrib["name"]: next(
            (tag for tag in OUTCOMES.values() if case.find(tag) is not None), "passed"
        )
        for suite in suites_of(report)
        for case in suite
    }


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_reports(name: str) -> None:
    suites_of(CANONICAL[name]())


@settings(max_examples=examples(10))
@given(reports())
def test_any_report_is_well_formed(report: Report) -> None:
    suites_of(report)


def test_hostile_names_are_text() -> None:
    suites = suites_of(hostile(HOSTILE))
    assert {element.tag for suite in suites for element in suite.iter()} <= {
        "testsuite", "testcase", "failure", "error", "system-out",
    }  # fmt: skip
    assert "]]></failure><!--.keras" in [suite.attrib["name"] for suite in suites]


def test_a_model_without_expectations_is_one_case() -> None:
    assert outcomes(frozen()) == {"models/finetune.keras": "passed"}  # notes are no failure
    bare = replace(two_towers().models[0], expectations=())
    assert outcomes(Report(TOOL, (bare,))) == {"models/two_towers.keras": "failure"}


def test_each_expectation_is_a_case() -> None:
    assert outcomes(expectations()) == {
        "models/finetune.keras": "failure",  # GF404, which is about no expectation
        "frozen: backbone/**": "passed",
        "frozen: backbone_norm/**": "failure",
        "trainable: adapter/**": "failure",
        # Of the model that crashed; the other one of that name passed.
        "trainable: head/**": "skipped",
        "cut: rigth/**": "failure",
        "models/large.keras": "error",
    }


def test_each_finding_is_told_once() -> None:
    for name, build in CANONICAL.items():
        report = build()
        text = "".join(
            element.text or "" for suite in suites_of(report) for element in suite.iter("failure")
        )
        for code in {finding.code for model in report.models for finding in model.findings}:
            told = [
                finding
                for model in report.models
                for finding in model.open_findings
                if finding.code == code and finding.severity is not Severity.NOTE
            ]
            heads = sum(text.count(f"{severity.value} {code}: ") for severity in Severity)
            assert (name, code, heads) == (name, code, len(told))


def test_what_is_unknown_has_not_passed() -> None:
    assert outcomes(unknown()) == {"classifier.keras": "skipped"}


def test_an_expectation_that_is_not_kept_fails_without_a_finding_too() -> None:
    judged = tuple(
        Expectation("cut", "a/**", status, ())
        for status in sorted(ExpectationStatus, key=lambda status: status is ExpectationStatus.KEPT)
    )
    report = Report(TOOL, (analyzed("m.keras", [weight("a", 1)], expectations=judged),))
    assert list(outcomes(report).values()) == ["passed", "failure", "failure", "passed"]
    assert list(outcomes(report))[1:] == ["cut: a/**", "cut: a/** (2)", "cut: a/** (3)"]


def test_the_worst_finding_is_the_message_and_the_others_are_counted() -> None:
    (suite,) = suites_of(Report(TOOL, (replace(two_towers().models[0], expectations=()),)))
    (failure,) = suite.iter("failure")
    assert failure.attrib["type"] == "GF201"
    assert failure.attrib["message"].startswith(
        "GF201: between left/dense_1 and merge, gradient is cut by StopGradient "
        "'net/target/StopGradient' ("
    )
    assert failure.attrib["message"].endswith(" (and 1 more finding)")
    assert "     ✂  net/target/StopGradient  layer target, net.py:41\n" in str(failure.text)


def test_a_model_that_is_there_twice_is_two_cases() -> None:
    twice = replace(frozen(), models=frozen().models * 2)
    assert list(outcomes(twice)) == ["models/finetune.keras", "models/finetune.keras (2)"]


def test_a_case_stands_at_the_anchor() -> None:
    (suite,) = suites_of(frozen(), anchors={"models/finetune.keras": Anchor("gradflow.yaml", 3)})
    assert [(case.attrib["file"], case.attrib["line"]) for case in suite] == [
        ("gradflow.yaml", "3")
    ]


def test_there_are_no_times() -> None:
    assert all(
        word not in render(build())
        for build in CANONICAL.values()
        for word in (" time=", "timestamp", "host")
    )


def test_a_note_never_fails() -> None:
    cause = Cause("GF305", "vanishing", None, None, None, None, None)
    one = weight("a", 1, verdict=Verdict.FLOWS)
    note = Finding("GF305", Severity.NOTE, "tiny", "", ("a",), cause)
    assert outcomes(Report(TOOL, (analyzed("m.keras", [one], findings=(note,)),))) == {
        "m.keras": "passed"
    }
