"""A report to the JSON report, version 1."""

from __future__ import annotations

import json

from gradflow.findings import Report
from gradflow.findings.wire import encode

SCHEMA = "gradflow-report-1"


def render(report: Report) -> str:
    """Return the JSON text, indented by 2, fields in the order of the interface, a line break at
    the end.

    Raises:
        ValueError: a number in the report is NaN or infinite, which the result types forbid.
    """
    return written({"schema": SCHEMA, **encode(report, public=True)})


def written(value: object) -> str:
    """Return plain values as JSON text, in ASCII, so that the bytes are the same on every platform.

    A name from a model file cannot steer a terminal, nor a CI system for which ``##[`` in a log is
    a command.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    return json.dumps(value, indent=2, allow_nan=False).replace("##[", "#\\u0023[") + "\n"
