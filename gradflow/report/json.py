"""A report to the JSON report, version 1."""

from __future__ import annotations

import json

from gradflow.findings import Report
from gradflow.findings.wire import encode

SCHEMA = "gradflow-report-1"


def render(report: Report) -> str:
    """Return the JSON text, indented by 2, fields in the order of the interface, a line break at the end.

    Other characters than ASCII are escaped, so that the bytes are the same on every platform and a name
    from a model file cannot steer the terminal.

    Raises:
        ValueError: a number in the report is NaN or infinite, which the result types forbid.
    """
    return json.dumps({"schema": SCHEMA, **encode(report)}, indent=2, allow_nan=False) + "\n"
