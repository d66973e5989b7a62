"""Name the formats of a report, and import the one that is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from gradflow.findings import Report
from gradflow.report.layout import Layout

Render = Callable[[Report, Layout], str]

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "text": "gradflow.report.text",
        "json": "gradflow.report.json",
        "markdown": "gradflow.report.markdown",
        "sarif": "gradflow.report.sarif",
        "junit": "gradflow.report.junit",
        "github": "gradflow.report.github",
    }
)
"""The module that has the ``render`` of each format. It is imported when a report is written in
that format: a run that writes JSON does not pay for what a text needs."""
ANSWER_FORMATS = ("text", "json")
"""The formats of an answer that is no report; each in ``gradflow.report.answers`` has both."""


def renderer(format: str) -> Render:
    """Return ``render(report, layout) -> str`` of a format.

    Raises:
        KeyError: there is no such format.
    """
    render: Render = import_module(FORMATS[format]).render
    return render
