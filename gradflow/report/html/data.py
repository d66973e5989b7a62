"""Turn a report into what the page reads: texts that are safe to show, and numbers in place of what
would stand there many times."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from gradflow.catalogue import CATALOGUE
from gradflow.catalogue.op_fixes import fix_of
from gradflow.diagnose.scale import bounds
from gradflow.findings import (
    Cause,
    Finding,
    FlowMap,
    Format,
    Input,
    Mode,
    ModelReport,
    Output,
    Report,
    Role,
    Severity,
    Status,
    Variable,
    Verdict,
)
from gradflow.findings.wire import encode
from gradflow.options import DEFAULT_THRESHOLDS, Thresholds
from gradflow.policy import Trend
from gradflow.report.accepted import number_accepted, words_of
from gradflow.report.finding_line import located, remedy, snippet
from gradflow.report.headline import STANDINGS, standing, statement, title
from gradflow.report.model_parts import (
    ONLY_READ,
    behind,
    by_name,
    by_severity,
    dangers,
    is_itemized,
    objective_line,
    untracked,
)
from gradflow.report.people.blocks import FORMAT_NAMES
from gradflow.report.people.layers import by_layer, totals
from gradflow.report.reach import reach_sentences
from gradflow.report.words import type_and_shape
from gradflow.text import shown

_MAX_CHANGES = 20
_PARTS = ("flows", "none", "zero", "nonfinite", "unknown", "untracked", "frozen", "state")
"""Of the bar, in the order in which they stand in it."""


def changes_of(report: Report, trends: Sequence[Trend]) -> list[Trend | None]:
    """Return what has changed about each model; None where nothing has, or where two models have
    the path of the change."""
    by_path = {trend.path: trend for trend in trends}
    paths = Counter(model.path for model in report.models)
    return [by_path.get(model.path) if paths[model.path] == 1 else None for model in report.models]


def report_data(report: Report, changes: Sequence[Trend | None]) -> dict[str, Any]:
    """Return what the table of the models shows."""
    return {
        "tool": _safe(encode(report.tool)),
        "standings": list(STANDINGS),
        "models": [
            _row(model, change) for model, change in zip(report.models, changes, strict=True)
        ],
    }


def model_data(model: ModelReport, change: Trend | None = None) -> dict[str, Any]:
    """Return what the page of one model shows."""
    causes = _Numbered()
    texts = _Numbered()
    without_layer = untracked(model)
    variables = [
        _variable(variable, model, causes, texts, is_untracked=variable.name in without_layer)
        for variable in model.variables
    ]
    numbers = {variable.name: index for index, variable in enumerate(model.variables)}
    accepted = model.accepted_findings
    known = by_name(model)
    findings = [
        _finding(finding, behind(finding, known), numbers, causes)
        for finding in (*by_severity(model), *accepted)
    ]
    return {
        "title": title(model),
        "statement": statement(model),
        "tone": _tone(model),
        "reach": list(reach_sentences(model)),
        "change": _change(change),
        "facts": [[term, shown(value)] for term, value in _facts(model)],
        "error": _safe(encode(model.error)),
        "dangers": _dangers(model),
        "bar": _bar(model, without_layer),
        "variables": variables,
        "findings": findings,
        "expectations": [
            {
                "kind": shown(item.kind),
                "pattern": shown(item.pattern),
                "status": item.status.value,
                "variables": [numbers[name] for name in item.variables if name in numbers],
            }
            for item in model.expectations
        ],
        "bounds": _bounds(model),
        "map": None if model.map is None else _map(model.map, model, numbers),
        "causes": [_cause(cause) for cause in causes.values],
        "texts": [shown(text) for text in texts.values],
    }


class _Numbered:
    """Values, each once, known by the order of their appearance."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def values(self) -> Sequence[Any]:
        return list(self._numbers)


def _change(trend: Trend | None) -> dict[str, Any] | None:
    if trend is None:
        return None
    lines = [
        f"{change.name}: {change.kind.value}{f' ({change.detail})' if change.detail else ''}"
        for change in trend.changes
    ]
    return {
        "direction": trend.direction.value,
        "detail": shown(trend.detail),
        "lines": [shown(line) for line in lines[:_MAX_CHANGES]],
        "more": max(0, len(lines) - _MAX_CHANGES),
    }


def _row(model: ModelReport, change: Trend | None) -> dict[str, Any]:
    summary, findings = model.summary, model.open_findings
    return {
        "title": title(model),
        "standing": standing(model),
        "statement": statement(model),
        "tone": _tone(model),
        "weights": summary.weights,
        "none": summary.none,
        "zero": summary.zero,
        "nonfinite": summary.nonfinite,
        "unknown": summary.unknown,
        "frozen": summary.frozen,
        "errors": sum(finding.severity is Severity.ERROR for finding in findings),
        "warnings": sum(finding.severity is Severity.WARNING for finding in findings),
        "accepted": number_accepted([model]),
        "change": None
        if change is None
        else {"direction": change.direction.value, "detail": shown(change.detail)},
    }


def _tone(model: ModelReport) -> str:
    """Return how the first line is colored: as its worst finding is."""
    severities = {finding.severity for finding in model.open_findings}
    if model.status is Status.FAILED or Severity.ERROR in severities:
        return "error"
    is_fine = standing(model) == "fine" and Severity.WARNING not in severities
    return "good" if is_fine else "warning"


def _facts(model: ModelReport) -> Iterator[tuple[str, str]]:
    yield "path", model.path
    if model.format is not None:
        by = f" by {model.producer}" if model.producer else ""
        yield "file", f"{FORMAT_NAMES[model.format]}{by}"
    if model.entry:
        yield "entry", model.entry
    if model.status is not Status.FAILED:
        is_static = model.mode is Mode.STATIC
        how = ONLY_READ if is_static else "one step of GradientTape"
        yield "verdicts", how
        yield "objective", objective_line(model) or "outputs"
    for tensor in model.inputs:
        yield "input", f"{_tensor(tensor)} {tensor.source}"
    for output in model.outputs:
        yield "output", _tensor(output)


def _tensor(tensor: Input | Output) -> str:
    return f"{tensor.name} {type_and_shape(tensor.dtype, tensor.shape)}"


def _dangers(model: ModelReport) -> list[dict[str, Any]]:
    if not is_itemized(model):
        return []
    return [
        {
            "description": shown(danger.description),
            "locations": [shown(location) for location in danger.locations],
        }
        for danger in dangers(model)
    ]


def _bar(model: ModelReport, without_layer: frozenset[str]) -> list[dict[str, Any]]:
    """Return how many parameters each part of the model has: those that learn come first."""
    parts: dict[str, list[Variable]] = {part: [] for part in _PARTS}
    for variable in model.variables:
        parts[_part(variable, without_layer)].append(variable)
    return [
        {
            "state": part,
            "parameters": sum(variable.parameters for variable in members),
            "variables": len(members),
        }
        for part, members in parts.items()
        if members
    ]


def _part(variable: Variable, without_layer: frozenset[str]) -> str:
    if variable.role is Role.STATE:
        return "state"
    if variable.name in without_layer:
        return "untracked"
    return variable.verdict.value if variable.trainable else "frozen"


def _variable(
    variable: Variable,
    model: ModelReport,
    causes: _Numbered,
    texts: _Numbered,
    *,
    is_untracked: bool,
) -> dict[str, Any]:
    gradient = variable.gradient
    path, name = shown(model.path), shown(variable.name)
    return {
        "name": name,
        "layer": _safe(variable.layer),
        "shape": type_and_shape("", variable.shape),
        "dtype": shown(variable.dtype),
        "parameters": variable.parameters,
        "role": variable.role.value,
        "trainable": variable.trainable,
        "untracked": is_untracked,
        "frozen_by": _safe(variable.frozen_by),
        "verdict": variable.verdict.value,
        "confidence": variable.confidence.value,
        "norm": gradient.norm if gradient else None,
        "max_abs": gradient.max_abs if gradient else None,
        "zero_fraction": gradient.zero_fraction if gradient else None,
        "rows": gradient.rows_touched if gradient else None,
        "causes": [causes.number(cause) for cause in variable.causes],
        "cuts": variable.cuts_to_restore,
        "path": [texts.number(op) for op in variable.path],
        "command": _command(path, name, variable, model),
    }


def _command(path: str, name: str, variable: Variable, model: ModelReport) -> str:
    """Return the command that proves a repair; empty where there is none to look for."""
    if model.format is Format.MEMORY or variable.verdict is Verdict.FLOWS:
        return ""
    return f"gradflow why {shlex.quote(path)} {shlex.quote(name)}"


def _finding(
    finding: Finding,
    variables: Sequence[Variable],
    numbers: Mapping[str, int],
    causes: _Numbered,
) -> dict[str, Any]:
    fix = remedy(finding)
    return {
        "code": shown(finding.code),
        "severity": finding.severity.value,
        "message": located(finding),
        "fix": fix,
        "snippet": list(snippet(finding.cause, fix)),
        "variables": [numbers[variable.name] for variable in variables],
        "total": totals(by_layer(variables)),
        "cause": None if finding.cause is None else causes.number(finding.cause),
        "accepted": None if finding.accepted is None else words_of(finding.accepted),
    }


def _cause(cause: Cause) -> dict[str, Any]:
    entry = CATALOGUE.get(cause.code)
    of_op = fix_of(cause.code, cause.op_type)
    fix = of_op.fix if of_op else entry.fix if entry else ""
    return {
        **_safe(encode(cause)),
        "fix": fix,
        "cuts_all": entry is not None and entry.cuts_every_input,
    }


def _bounds(model: ModelReport) -> dict[str, float] | None:
    """Return the median of the largest entries of the gradients, and what vanishes and explodes
    beside it; None where there is none."""
    sizes = [
        variable.gradient.max_abs
        for variable in model.variables
        if variable.role is Role.WEIGHT
        and variable.trainable
        and variable.verdict is Verdict.FLOWS
        and variable.gradient is not None
        and variable.gradient.max_abs
    ]
    if not sizes:
        return None
    middle = median(sizes)
    limits = DEFAULT_THRESHOLDS if model.limits is None else Thresholds(*model.limits)
    low, high = bounds(middle, limits)
    return {"median": middle, "vanishing": low, "exploding": high}


def _map(flow_map: FlowMap, model: ModelReport, numbers: Mapping[str, int]) -> dict[str, Any]:
    by_layer_name: dict[str | None, list[int]] = {}
    for variable in model.variables:
        by_layer_name.setdefault(variable.layer, []).append(numbers[variable.name])
    nodes = []
    for node in flow_map.nodes:
        members = [numbers[name] for name in node.variables if name in numbers]
        # A report that was read from a file has no names here; the layer says it then.
        members = members or (by_layer_name.get(node.name, []) if node.weights else [])
        nodes.append({**_safe(encode(node, public=True)), "variables": members})
    return {"nodes": nodes, "edges": _safe(encode(flow_map.edges))}


def _safe(value: Any) -> Any:
    """Return plain values with every text in them as it may be shown."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, list):
        return [_safe(item) for item in value]
    if isinstance(value, dict):
        return {name: _safe(item) for name, item in value.items()}
    return value
