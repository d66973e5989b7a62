"""Name the formats of a report, and import the one that is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from importlib import import_module
from itertools import takewhile
from types import MappingProxyType

from gradflow.findings import ModelReport, Report
from gradflow.lazy_dataclass import dataclass
from gradflow.report.layout import PLAIN, Layout

Render = Callable[[Report, Layout], str]


class HasMap(Enum):
    """Whether a report in a format holds the map of gradient flow."""

    NEVER = "never"
    ASKED = "where it is asked for"
    ALWAYS = "always: it is drawn for the format"


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """A format that a report is written in."""

    module: str
    """It has the ``render`` of the format, and is imported when a report is written in it: a run
    that writes JSON does not pay for what a text needs."""
    mark: str
    """A pattern for how what gradflow writes in it begins, answers included: a file that does not
    begin so is another's."""
    suffix: str = ""
    """How the name of a file in it ends; empty where that says nothing."""
    has_map: HasMap = HasMap.NEVER
    """Whether it holds the map of gradient flow."""


_ANSWERS = "report|why|entries|diff|trend|rules"
FORMATS: Mapping[str, ReportFormat] = MappingProxyType(
    {
        "text": ReportFormat(
            "gradflow.report.text",
            r"no models$|code +kind |GF\d{3} \w+:|(?=.*: )[^\s{].*"
            r"\b(weights?|harm|changes|entries|entry|models?|could not be checked)\b",
            ".txt",
        ),
        "json": ReportFormat(
            "gradflow.report.json",
            rf'\{{ ?"schema": "gradflow-({_ANSWERS})-',
            ".json",
            has_map=HasMap.ASKED,
        ),
        "markdown": ReportFormat("gradflow.report.markdown", "### gradflow: ", ".md"),
        "html": ReportFormat(
            "gradflow.report.html",
            r'<!doctype html> <html lang="en"> <head> <meta name="generator" content="gradflow">',
            ".html",
            has_map=HasMap.ALWAYS,
        ),
        "sarif": ReportFormat(
            "gradflow.report.sarif", r'\{.* "driver": \{ "name": "gradflow"', ".sarif"
        ),
        "junit": ReportFormat(
            "gradflow.report.junit", r'<\?xml [^>]*> <testsuites name="gradflow"', ".xml"
        ),
        "model-explorer": ReportFormat(
            "gradflow.report.model_explorer",
            r'\{ "[^"]+": \{ "results": \{|\[ \{ "label": "gradflow", "graphs": \[',
            has_map=HasMap.ALWAYS,
        ),
        "github": ReportFormat("gradflow.report.github", "::(error|warning|notice)[ :]"),
    }
)
ANSWER_FORMATS = ("text", "json")
"""The formats of an answer that is no report; each in ``gradflow.report.answers`` has both."""


def written(report: Report, format: str, layout: Layout = PLAIN, *, with_map: bool = False) -> str:
    """Return ``report`` in a format; ``with_map`` is whether the map was asked for.

    A map that was drawn for one format shows in no other: what a format holds does not depend on
    which others are written.

    Raises:
        KeyError: there is no such format.
    """
    has_map = FORMATS[format].has_map
    if has_map is HasMap.NEVER or (has_map is HasMap.ASKED and not with_map):
        report = replace(report, models=tuple(map(_unmapped, report.models)))
    return renderer(format)(report, layout)


def _unmapped(model: ModelReport) -> ModelReport:
    return model if model.map is None else replace(model, map=None)


def renderer(format: str) -> Render:
    """Return ``render(report, layout) -> str`` of a format.

    Raises:
        KeyError: there is no such format.
    """
    render: Render = import_module(FORMATS[format].module).render
    return render


def begins_as(text: str, mark: str) -> bool:
    """Return whether the first line of ``text``, with the lines that it is folded into, begins as
    ``mark`` says."""
    first, *others = text.partition("\n\n")[0].splitlines() or [""]
    folded = takewhile(lambda line: line.startswith((" ", "<")), others)
    return re.match(mark, " ".join(" ".join([first, *folded]).split())) is not None
