"""Define the result types: what gradflow knows about a model, as frozen values.

Source of the field names and their meaning: the JSON report, version 1 (docs/json.md).
"""

from gradflow.findings.entries import EntryList, ListedEntry, ListedTensor
from gradflow.findings.route import Change, Route, Step
from gradflow.findings.types import (
    LEFT_OUT,
    Acceptance,
    Anchor,
    Cause,
    Confidence,
    Expectation,
    ExpectationStatus,
    Failure,
    Finding,
    Format,
    Gradient,
    Input,
    Mode,
    ModelReport,
    Output,
    Report,
    Role,
    Severity,
    Status,
    Summary,
    Tool,
    Variable,
    Verdict,
)

__all__ = [
    "LEFT_OUT",
    "Acceptance",
    "Anchor",
    "Cause",
    "Change",
    "Confidence",
    "EntryList",
    "Expectation",
    "ExpectationStatus",
    "Failure",
    "Finding",
    "Format",
    "Gradient",
    "Input",
    "ListedEntry",
    "ListedTensor",
    "Mode",
    "ModelReport",
    "Output",
    "Report",
    "Role",
    "Route",
    "Severity",
    "Status",
    "Step",
    "Summary",
    "Tool",
    "Variable",
    "Verdict",
]
