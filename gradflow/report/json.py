"""Write a report as JSON, version 1."""

from __future__ import annotations

from gradflow.findings import Report
from gradflow.findings.wire import encode
from gradflow.report.layout import PLAIN, Layout
from gradflow.text import as_json

SCHEMA = "gradflow-report-1"


def render(report: Report, layout: Layout = PLAIN) -> str:
    """Return the JSON text, indented by 2, fields in the order of the interface, a line break at
    the end.

    Raises:
        ValueError: a number in the report is NaN or infinite, which the result types forbid.
    """
    return as_json({"schema": SCHEMA, **encode(report, public=True)}) + "\n"
