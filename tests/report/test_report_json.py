"""The JSON report is the interface: same keys, same order, plain numbers, and it can be read
back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import validate

from gradflow.findings import Gradient, Report
from gradflow.findings.schema import report_schema
from gradflow.findings.wire import decode, encode
from gradflow.report.json import SCHEMA, render
from tests.examples import examples
from tests.report.reports import CANONICAL, healthy
from tests.report.strategies import reports

# Version 1 as it is published. Where it names a choice, the first word is taken.
INTERFACE = """
{"schema": "gradflow-report-1",
 "tool": {"name": "gradflow", "version": "0.1.0", "tensorflow": "2.21.0", "keras": "3.15.1"},
 "models": [{
   "path": "m/model.keras", "format": "keras|h5|saved_model", "producer": "keras 3.15.1",
   "entry": "call(training=True)", "objective": "outputs", "mode": "tape|static",
   "status": "analyzed|failed",
   "error": null,
   "inputs":  [{"name": "x", "shape": [2, 6], "dtype": "float32", "source": "normal(seed=0)"}],
   "outputs": [{"name": "head0", "shape": [2, 2], "dtype": "float32"}],
   "variables": [{
     "name": "dense_0/kernel", "layer": "dense_0", "shape": [6, 6], "dtype": "float32",
     "parameters": 36,
     "role": "weight|state", "trainable": true, "frozen_by": null,
     "verdict": "flows|none|zero|nonfinite|unknown", "confidence": "confirmed|measured|static",
     "gradient": {"norm": 1.25, "max_abs": 0.5, "zero_fraction": 0.0, "rows_touched": null},
     "causes": [{"code": "GF201", "kind": "stop_gradient", "op": "m0/cut7/StopGradient",
                 "op_type": "StopGradient", "layer": "cut7",
                 "reenters_at": null, "source": "net.py:41"}],
     "cuts_to_restore": 1,
     "path": ["m0/dense_0/MatMul", "m0/cut7/StopGradient", "m0/head0/MatMul"]}],
   "findings": [{"code": "GF201", "severity": "error|warning|note", "message": "...", "hint": "...",
                 "variables": ["dense_0/kernel"], "cause": null}],
   "expectations": [{"kind": "frozen", "pattern": "backbone/**", "status": "kept|broken|unmatched",
                    "variables": []}],
   "summary": {"weights": 10, "flows": 6, "none": 2, "zero": 1, "nonfinite": 0,
               "unknown": 0, "frozen": 1, "state": 2,
               "parameters": 612, "trainable_parameters": 570}}]}
"""


def interface_example() -> dict[str, Any]:
    def first_choice(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: first_choice(item) for key, item in value.items()}
        if isinstance(value, list):
            return [first_choice(item) for item in value]
        return value.partition("|")[0] if isinstance(value, str) else value

    example: dict[str, Any] = first_choice(json.loads(INTERFACE))
    (model,) = example["models"]
    model["findings"][0]["cause"] = model["variables"][0]["causes"][0]
    model["findings"][0].update(accepted=None, between=None)  # added to version 1
    model["map"] = None  # added as well
    return example


def test_it_is_the_published_example_with_keys_in_that_order() -> None:
    example = interface_example()
    body = {key: value for key, value in example.items() if key != "schema"}
    text = render(decode(Report, body))
    assert json.loads(text, object_pairs_hook=list) == json.loads(
        json.dumps(example), object_pairs_hook=list
    )


def test_a_report_of_before_has_no_word_on_what_was_added() -> None:
    old = interface_example()
    for added in ("accepted", "between"):
        del old["models"][0]["findings"][0][added]

    validate(old, report_schema(SCHEMA))
    del old["schema"]
    assert decode(Report, old).models[0].findings[0].accepted is None


def test_it_starts_with_the_schema_and_ends_with_a_line_break() -> None:
    text = render(healthy())
    assert text.startswith('{\n  "schema": "gradflow-report-1",\n')
    assert text.endswith("\n}\n")


def test_failure_is_an_object_and_the_model_keeps_its_place() -> None:
    models = json.loads(render(CANONICAL["several"]()))["models"]
    assert [model["status"] for model in models] == ["failed", "analyzed", "analyzed"]
    assert list(models[0]["error"]) == ["code", "message", "hint"]


def test_nan_is_refused() -> None:
    report = healthy()
    (model,) = report.models
    poisoned = replace(model.variables[0], gradient=Gradient(float("nan"), None, 0.0, None))
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(replace(report, models=(replace(model, variables=(poisoned,)),)))


def test_names_cannot_steer_a_terminal() -> None:
    report = healthy()
    name = "evil\x1b[2J\u202e/\u9b42"
    report = replace(report, models=(replace(report.models[0], path=name),))
    text = render(report)
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["models"][0]["path"] == name


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_reports_survive_the_wire(name: str) -> None:
    report = CANONICAL[name]()
    body = json.loads(render(report))
    assert body.pop("schema") == "gradflow-report-1"
    public = encode(report, public=True)
    assert decode(Report, body) == decode(Report, public)
    assert encode(decode(Report, body), public=True) == public


@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports())
def test_any_report_survives_the_wire(report: Report) -> None:
    assert decode(Report, json.loads(json.dumps(encode(report), allow_nan=False))) == report
