"""Two entries of a configuration that name the same file, told apart in every format that people
read."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from gradflow.findings import Anchor, Report
from gradflow.report import github, junit, sarif
from gradflow.report.formats import FORMATS, renderer
from gradflow.report.layout import Layout
from tests.report.reports import TOOL, several

NAMES = ("first", "second")
ANCHORS = {
    "first": Anchor("gradflow.yaml", 4),
    "second": Anchor("gradflow.yaml", 7),
    "m": Anchor("gradflow.yaml", 9),
}


def called(*names: str) -> Report:
    """A model that could not be checked, once for each of the names."""
    failed = several().models[0]
    return Report(TOOL, tuple(replace(failed, path="m", name=name) for name in names))


# The JSON report, version 1, has no field for the name.
@pytest.mark.parametrize("format", [format for format in FORMATS if format != "json"])
def test_a_model_is_called_by_its_name(format: str) -> None:
    shown = renderer(format)(called(*NAMES), Layout())

    assert all(re.search(rf"\b{name}\b", shown) for name in NAMES)


def test_an_annotation_of_a_finding_has_the_name() -> None:
    report = several()
    named = replace(report, models=tuple(replace(model, name="mine") for model in report.models))
    lines = github.render(named).splitlines()

    assert lines
    assert all("::mine (" in line for line in lines)


def test_each_is_shown_at_its_own_line() -> None:
    report = called(*NAMES)
    cases = ET.fromstring(junit.render(report, Layout(anchors=ANCHORS))).iter("testcase")
    results = json.loads(sarif.render(report, Layout(anchors=ANCHORS)))["runs"][0]["results"]

    assert [case.get("line") for case in cases] == ["4", "7"]
    assert re.findall(r"line=(\d+)", github.render(report, Layout(anchors=ANCHORS))) == ["4", "7"]
    assert [one["locations"][0]["physicalLocation"]["region"]["startLine"] for one in results] == [
        4,
        7,
    ]


def test_a_model_without_a_name_is_shown_where_its_path_is() -> None:
    assert "line=9," in github.render(called(""), Layout(anchors=ANCHORS))
    assert "line=9," in github.render(called("unheard-of"), Layout(anchors=ANCHORS))
