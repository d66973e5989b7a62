"""Write a report as a SARIF 2.1.0 log that GitHub code scanning accepts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gradflow.catalogue import CATALOGUE
from gradflow.findings import Anchor, Failure, ModelReport, Report, Severity, Tool
from gradflow.report.anchors import anchor_of
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.sarif_results import failure_message, message, physical_location, results_of
from gradflow.text import as_json, shown

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

_PROBLEM = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "recommendation"}


def render(report: Report, layout: Layout = PLAIN) -> str:
    """Return the log as JSON text in ASCII, indented by 2, a line break at the end.

    A result for each finding and for each model that could not be checked, at the model's path or
    where the anchors say; models with nothing to tell leave no trace.
    """
    anchors = layout.anchors
    failed = [(model, model.error) for model in report.models if model.error is not None]
    codes = {finding.code for model in report.models for finding in model.findings}
    codes |= {failure.code for _, failure in failed}
    rules = sorted(codes)
    rule_index = {code: index for index, code in enumerate(rules)}
    fingerprints: Counter[str] = Counter()
    is_with_accepted = any(model.accepted_findings for model in report.models)
    run = {
        "tool": {"driver": _driver(report.tool, rules)},
        "invocations": [
            {
                "executionSuccessful": not failed,
                "toolExecutionNotifications": [
                    _notification(model, failure, rule_index, anchors) for model, failure in failed
                ],
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [
            # Of one run, either all results say whether they are suppressed or none does (3.27.23).
            {**result, "suppressions": result.get("suppressions", [])}
            if is_with_accepted
            else result
            for model in report.models
            for result in results_of(model, rule_index, anchors, fingerprints)
        ],
    }
    return as_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _driver(tool: Tool, rules: Sequence[str]) -> dict[str, Any]:
    versions = {"tensorflow": tool.tensorflow, "keras": tool.keras}
    return {
        "name": shown(tool.name),
        "version": shown(tool.version),
        "rules": [_rule(code) for code in rules],
        "properties": {
            name: None if version is None else shown(version) for name, version in versions.items()
        },
    }


def _rule(code: str) -> dict[str, Any]:
    entry = CATALOGUE.get(code)
    if entry is None:
        return {"id": shown(code)}
    severity = entry.severity
    paragraphs = [
        ("Why", entry.why),
        ("Fix", f"{entry.fix}."),
        ("Right when", f"{entry.right_when}."),
    ]
    example = f"\n\nExample:\n\n{_indented(entry.example)}" if entry.example else ""
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in entry.kind.split("_")),
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.why},
        # No "markdown": GitHub shows it in place of the text, and would find markup in what is
        # plain.
        "help": {"text": "\n\n".join(f"{head}: {words}" for head, words in paragraphs) + example},
        "defaultConfiguration": {"level": severity.value},
        "properties": {"tags": ["gradient", "tensorflow"], "problem.severity": _PROBLEM[severity]},
    }


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in code.splitlines())


def _notification(
    model: ModelReport,
    failure: Failure,
    rule_index: Mapping[str, int],
    anchors: Mapping[str, Anchor],
) -> dict[str, Any]:
    return {
        "associatedRule": {"id": shown(failure.code), "index": rule_index[failure.code]},
        "level": "error",
        "message": message(failure_message(model)),
        "locations": [{"physicalLocation": physical_location(anchor_of(model, anchors))}],
    }
