"""Workflow commands, read back the way the runner of GitHub Actions reads a line of a log."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings

from gradflow.findings import Anchor, Report
from gradflow.report.github import render
from gradflow.report.layout import Layout
from tests.examples import examples
from tests.report.reports import CANONICAL, HOSTILE, expectations, healthy, hostile, routed, several
from tests.report.strategies import reports


def unescaped(text: str, *, is_property: bool) -> str:
    """As ``ActionCommand.UnescapeProperty`` and ``UnescapeData`` of actions/runner."""
    more = {"%3A": ":", "%2C": ","} if is_property else {}
    for code, letter in {"%0D": "\r", "%0A": "\n", **more, "%25": "%"}.items():
        text = text.replace(code, letter)
    return text


def commands_of(report: Report, **layout: Any) -> list[tuple[str, dict[str, str], str]]:
    """Each line as the runner takes it: the command, its properties, its message."""
    found = []
    for line in render(report, Layout(**layout)).split("\n")[:-1]:
        # TryParseV2: the command ends at the first "::" after its beginning.
        head, _, data = line.removeprefix("::").partition("::")
        assert line.startswith("::")
        command, _, properties = head.partition(" ")
        pairs = [pair.partition("=") for pair in properties.split(",")]
        assert [key for key, _, _ in pairs] in (["file", "title"], ["file", "line", "title"])
        assert command in ("error", "warning", "notice")
        values = {key: unescaped(value, is_property=True) for key, _, value in pairs}
        found.append((command, values, unescaped(data, is_property=False)))
    return found


@pytest.mark.parametrize("name", CANONICAL)
def test_one_command_for_each_finding_and_failure(name: str) -> None:
    report = CANONICAL[name]()
    expected = [finding.code for model in report.models for finding in model.open_findings]
    expected += ["accepted" for model in report.models if model.accepted_findings]
    expected += [model.error.code for model in report.models if model.error is not None]
    assert sorted(
        values["title"].partition(" ")[0] for _, values, _ in commands_of(report)
    ) == sorted(expected)


@settings(max_examples=examples(10))
@given(reports())
def test_any_report_is_commands_and_nothing_else(report: Report) -> None:
    number = sum(len(model.findings) + (model.error is not None) for model in report.models)
    assert len(commands_of(report)) == number


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_cannot_inject(text: str) -> None:
    (first, *rest) = commands_of(hostile([text]))
    assert (first[0], first[1]["title"]) == ("error", "GF201 stop_gradient")
    assert [(command, values["title"]) for command, values, _ in rest] == [
        ("error", "GF901 unreadable")
    ]
    for _, values, message in (first, *rest):
        assert "\r" not in message
        assert all(line.isprintable() for line in message.split("\n"))
        assert all(value.isprintable() for value in values.values())


def test_nothing_found_is_nothing_said() -> None:
    assert render(healthy()) == ""


def test_severities_and_their_order() -> None:
    assert [(command, values["title"]) for command, values, _ in commands_of(expectations())] == [
        ("error", "GF402 unexpected_trainable"),
        ("error", "GF403 unmatched"),
        ("warning", "GF404 changed"),
        ("error", "GF401 unexpected_frozen"),
        ("notice", "GF101 frozen"),
        ("notice", "GF101 frozen"),
        ("error", "GF903 crashed"),
    ]


def test_the_message_names_model_weights_place_and_fix() -> None:
    ((_, values, message),) = commands_of(routed())
    assert values == {"file": "moe_saved", "title": "GF202 non_differentiable"}
    assert message == (
        "moe_saved: between gate and mix, gradient is cut by ArgMax 'moe/route/ArgMax' "
        "(not differentiable) (experts.py:88; 2 weights in 1 layer, 520 parameters: gate)\n"
        "fix: use a softmax over the experts, or a straight-through estimator"
    )


def test_an_anchor_gives_the_line() -> None:
    found = commands_of(several(), anchors={"broken.keras": Anchor("./ci/gradflow.yaml", 12)})
    assert found[0][1] == {"file": "ci/gradflow.yaml", "line": "12", "title": "GF901 unreadable"}
    assert found[0][2].startswith("broken.keras: could not be checked (GF901): ")


def test_the_title_is_escaped_as_a_property() -> None:
    line = render(hostile(["a,b:c%d"]))
    assert re.match(
        r"::error file=a%2Cb%3Ac%25d\.keras,title=GF201 stop_gradient::a,b:c%25d\.keras: ", line
    )
