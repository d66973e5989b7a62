"""The SARIF log: valid by the published schema, taken by GitHub, the same tomorrow for the same
finding."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from gradflow.catalogue import CATALOGUE
from gradflow.findings import Anchor, Cause, Finding, Report, Severity, Verdict
from gradflow.findings.wire import decode, encode
from gradflow.report.layout import Layout
from gradflow.report.sarif import SCHEMA, render
from tests.examples import examples
from tests.report.reports import (
    CANONICAL,
    HOSTILE,
    TOOL,
    analyzed,
    expectations,
    hostile,
    routed,
    several,
    two_towers,
    weight,
)
from tests.report.strategies import reports

PUBLISHED = json.loads(
    (Path(__file__).parent / "sarif-schema-2.1.0.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft4Validator(PUBLISHED, format_checker=jsonschema.FormatChecker())


def run_of(report: Report, **layout: Any) -> dict[str, Any]:
    """The one run of a log that is valid and whose every place GitHub can show."""
    log = json.loads(render(report, Layout(**layout)))
    assert [error.message for error in VALIDATOR.iter_errors(log)] == []
    (run,) = log["runs"]
    for place in places(run["results"]):
        uri = place["artifactLocation"]["uri"]
        VALIDATOR.format_checker.check(uri, "uri-reference")
        assert uri
        assert re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri) is None or uri.startswith("file:///")
        assert place["region"]["startLine"] >= 1
    for result in run["results"]:
        assert len(result["locations"]) == 1
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert all("physicalLocation" in stop["location"] for stop in stops(result))
    return run


def places(value: Any) -> list[dict[str, Any]]:
    """Every physical location, however deep."""
    if isinstance(value, list):
        return [place for item in value for place in places(item)]
    if not isinstance(value, dict):
        return []
    own = [value["physicalLocation"]] if "physicalLocation" in value else []
    return own + [place for item in value.values() for place in places(item)]


def stops(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        stop
        for flow in result.get("codeFlows", [])
        for thread in flow["threadFlows"]
        for stop in thread["locations"]
    ]


def fingerprints(report: Report, **layout: Any) -> list[str]:
    return [
        result["partialFingerprints"]["gradflow/v1"]
        for result in run_of(report, **layout)["results"]
    ]


def test_the_schema_is_the_published_one_and_checks_uris() -> None:
    assert PUBLISHED["id"] == SCHEMA
    VALIDATOR.check_schema(PUBLISHED)
    with pytest.raises(jsonschema.FormatError):
        VALIDATOR.format_checker.check("a b[", "uri-reference")


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_reports_are_valid(name: str) -> None:
    report = CANONICAL[name]()
    found = sum(len(model.findings) + (model.error is not None) for model in report.models)
    assert len(run_of(report)["results"]) == found


@settings(max_examples=examples(10))
@given(reports())
def test_any_report_is_valid(report: Report) -> None:
    run_of(report)


def test_two_names_that_are_shown_alike_are_valid() -> None:
    finding = Finding("GF201", Severity.ERROR, "said", "", ("a\x1b/k", "a\\x1b/k"), None)
    (result,) = run_of(Report(TOOL, (analyzed("m", (), findings=(finding,)),)))["results"]

    (location,) = result["locations"]
    assert [one["fullyQualifiedName"] for one in location["logicalLocations"]] == ["a\\x1b/k"]


def test_hostile_names_are_valid_and_are_no_links_and_no_placeholders() -> None:
    run = run_of(hostile(HOSTILE))
    texts = re.findall(r'"text": "((?:[^"\\]|\\.)*)"', json.dumps(run["results"]))
    assert len(texts) > len(HOSTILE)
    for text in map(json.loads, (f'"{text}"' for text in texts)):
        assert text.replace("\n", "").isprintable()
        assert re.search(r"(?<!\\)\]\(", text) is None
        assert re.search(r"(?<!\{)\{[0-9]+\}(?!\})", text) is None


@pytest.mark.parametrize("code", [code for code in CATALOGUE if not code.startswith("GF9")])
def test_a_rule_has_the_words_of_the_catalogue(code: str) -> None:
    finding = Finding(code, Severity.NOTE, "said", "", (), None)
    (rule,) = run_of(Report(TOOL, (analyzed("m", (), findings=(finding,)),)))["tool"]["driver"][
        "rules"
    ]
    item = CATALOGUE[code]
    assert (rule["id"], rule["shortDescription"]["text"]) == (code, item.title)
    assert rule["defaultConfiguration"]["level"] == CATALOGUE[code].severity.value
    assert all(words in rule["help"]["text"] for words in (item.why, item.fix, item.right_when))
    # GitHub's limit.
    assert max(len(rule[part]["text"]) for part in ("shortDescription", "fullDescription")) <= 1024


def test_the_level_is_that_of_the_finding_and_not_of_the_rule() -> None:
    levels = {result["ruleId"]: result["level"] for result in run_of(expectations())["results"]}
    assert levels == {
        "GF101": "note", "GF401": "error", "GF402": "error",
        "GF403": "error", "GF404": "warning", "GF903": "error",
    }  # fmt: skip


def test_a_model_that_failed_is_a_result_and_a_notification() -> None:
    run = run_of(several())
    (invocation,) = run["invocations"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert invocation["executionSuccessful"] is False
    assert notification["associatedRule"]["id"] == "GF901"
    assert [r["message"] for r in run["results"] if r["ruleId"] == "GF901"] == [
        notification["message"]
    ]
    assert run_of(two_towers())["invocations"][0]["executionSuccessful"] is True


def test_the_line_of_code_is_a_related_location() -> None:
    (result,) = run_of(routed())["results"]
    (related,) = result["relatedLocations"]
    assert related["physicalLocation"] == {
        "artifactLocation": {"uri": "experts.py"},
        "region": {"startLine": 88},
    }
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "moe_saved"


def test_the_variables_are_logical_locations() -> None:
    (result,) = run_of(routed())["results"]
    found = [
        (one["name"], one["fullyQualifiedName"])
        for one in result["locations"][0]["logicalLocations"]
    ]
    assert found == [("kernel", "gate/kernel"), ("bias", "gate/bias")]


def test_the_flow_goes_from_the_variable_to_the_output_and_marks_the_cut() -> None:
    (result,) = run_of(routed())["results"]
    words = [stop["location"]["message"]["text"] for stop in stops(result)]
    path = routed().models[0].variables[0].path
    assert (words[0], words[-1], len(words)) == ("weight gate/kernel", "output head", len(path) + 2)
    reached = [stop["state"]["gradient"]["text"] for stop in stops(result)]
    back = 1 + path.index("moe/route/one_hot")
    assert reached == ["does not reach it"] * back + ["reaches it"] * (len(reached) - back)
    essential = [
        word
        for stop, word in zip(stops(result), words, strict=True)
        if stop["importance"] == "essential"
    ]
    assert essential[1:-1] == [
        "gradient is cut here: moe/route/ArgMax (layer route, experts.py:88)"
    ]


def test_an_anchor_is_where_a_model_is_shown_and_not_what_it_is() -> None:
    anchors = {"moe_saved": Anchor("ci/gradflow.yaml", 7)}
    (result,) = run_of(routed(), anchors=anchors)["results"]
    place = {"artifactLocation": {"uri": "ci/gradflow.yaml"}, "region": {"startLine": 7}}
    assert result["locations"][0]["physicalLocation"] == place
    assert fingerprints(routed(), anchors=anchors) == fingerprints(routed())


def renumbered(report: Report) -> Report:
    """The same, with the names that Keras and TensorFlow may give to the ops next time."""
    return decode(Report, json.loads(re.sub(r"\bnet/", "net_3/", json.dumps(encode(report)))))


def test_fingerprints_outlive_the_names_of_ops_and_the_order_of_models() -> None:
    report = several()
    assert renumbered(report) != report
    assert fingerprints(renumbered(report)) == fingerprints(report)
    turned = replace(report, models=report.models[::-1])
    assert sorted(fingerprints(turned)) == sorted(fingerprints(report))
    dotted = tuple(replace(model, path=f"./{model.path}") for model in report.models)
    assert fingerprints(replace(report, models=dotted)) == fingerprints(report)


def test_fingerprints_are_distinct() -> None:
    for build in CANONICAL.values():
        report = build()
        found = fingerprints(replace(report, models=report.models * 2))
        assert len(set(found)) == len(found)


def test_a_weight_behind_two_cuts_of_one_kind_is_two_findings() -> None:
    cuts = [
        Cause("GF201", "stop_gradient", f"net/Stop_{place}", "StopGradient", None, None, None)
        for place in "12"
    ]
    one = weight("a/kernel", 2, verdict=Verdict.NONE, causes=tuple(cuts))
    findings = tuple(
        Finding("GF201", Severity.ERROR, "stopped", "", (one.name,), cut) for cut in cuts
    )
    found = fingerprints(Report(TOOL, (analyzed("m.keras", [one], findings=findings),)))
    assert [value.rpartition(":")[2] for value in found] == ["1", "2"]
