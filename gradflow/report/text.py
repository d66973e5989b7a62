"""Write a report as text for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from gradflow.findings import ModelReport, Report, Role, Severity, Status
from gradflow.report.headline import standing, statement, summary_line, title
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.model_parts import FROZEN, behind, by_name, by_severity, end_of_way
from gradflow.report.people.blocks import (
    accepted_lines,
    expectation_lines,
    failure_lines,
    finding_lines,
    frozen_lines,
    origin_lines,
    reach_lines,
)
from gradflow.report.people.lines import Page, fold, joined, lay_out, line, page_of
from gradflow.report.people.path_picture import known_cuts
from gradflow.report.people.strip import strip_lines
from gradflow.report.people.table import table_lines
from gradflow.report.words import counted, untrainable
from gradflow.text import encodable, shown


def render(report: Report, layout: Layout = PLAIN) -> str:
    """Return the report as text of at most ``layout.width`` columns (40 at least)."""
    page = page_of(layout)
    brief = layout.brief and not layout.show_all
    report = encodable(report, layout.encoding)
    lines: list[Text] = []
    rule = line((page.glyphs.rule * page.width, "dim"))
    follows_block = False
    for model in report.models:
        is_line = model.status is not Status.FAILED and (
            bool(model.looked_at) or (brief and _is_fine(model))
        )
        lines += [rule] if lines and (follows_block or not is_line) else []
        lines += [_headline(model)] if is_line else _model_lines(model, page)
        follows_block = not is_line
    if len(report.models) != 1:
        lines += [
            *([rule] if report.models else []),
            *fold(line((summary_line(report), "bold")), page.width, 4),
        ]
    return joined(lines, layout.color)


def render_model(model: ModelReport, layout: Layout = PLAIN) -> str:
    """Return one model's part of the report as plain text."""
    return joined(_model_lines(model, page_of(layout)), False)


def _headline(model: ModelReport) -> Text:
    return line((title(model), "bold"), (f": {statement(model)}", _headline_style(model)))


def _is_fine(model: ModelReport) -> bool:
    findings = any(finding.severity is not Severity.NOTE for finding in model.open_findings)
    return not findings and all(expectation.is_kept for expectation in model.expectations)


def _model_lines(model: ModelReport, page: Page) -> Iterator[Text]:
    if model.status is Status.FAILED:
        yield from failure_lines(title(model), model.error, page, model)
        return
    yield from fold(_headline(model), page.width, 4)
    if model.looked_at:
        return
    yield from strip_lines(model, page)
    yield from reach_lines(model, page)
    yield from origin_lines(model, page)
    for block in _blocks(model, page):
        if block:
            yield line()
            yield from block


def _blocks(model: ModelReport, page: Page) -> Iterator[list[Text]]:
    variables = by_name(model)
    cuts = known_cuts(model)
    for finding in by_severity(model):
        if finding.code != FROZEN:
            end = end_of_way(model, finding)
            yield finding_lines(finding, behind(finding, variables), cuts, end, page)
    yield frozen_lines(model, page)
    yield expectation_lines(model, page)
    yield accepted_lines(model, page)
    if page.show_all:
        yield table_lines(model, page)
    yield _state_lines(model, page)


def _state_lines(model: ModelReport, page: Page) -> list[Text]:
    state = [variable for variable in model.variables if variable.role is Role.STATE]
    declared = [variable for variable in state if variable.declared_trainable]
    designed = len(state) - len(declared)
    lines: list[Text] = []
    if designed:
        words = f"state: {counted(designed, 'variable')}, not trained by design"
        lines += fold(line((words, "dim")), page.width, 4)
    for variable in declared:
        words = f"state: {shown(variable.name)} is {untrainable(variable)}"
        lines += lay_out(line(words), page, 4)
    return lines


def _headline_style(model: ModelReport) -> str:
    summary = model.summary
    severities = {finding.severity for finding in model.open_findings}
    if model.status is Status.FAILED or Severity.ERROR in severities:
        return "bold red"
    if standing(model) == "with accepted findings":
        return "bold yellow"
    if summary.none or summary.nonfinite:
        return "bold red"
    if summary.zero or Severity.WARNING in severities:
        return "bold yellow"
    return "bold" if summary.unknown else "bold green"
