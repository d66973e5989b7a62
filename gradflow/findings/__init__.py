"""Define the result types: what gradflow knows about a model, as frozen values.

Source of the field names and their meaning: the JSON report, version 1 (docs/json.md).
"""

from gradflow.findings.entries import EntryList, ListedEntry, ListedTensor
from gradflow.findings.example import example
from gradflow.findings.route import Change, Proof, Route
from gradflow.findings.summary import summarize
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
    Reach,
    Report,
    Role,
    Severity,
    Status,
    Step,
    Summary,
    Tool,
    Variable,
    Verdict,
    Way,
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
    "Proof",
    "Reach",
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
    "Way",
    "example",
    "summarize",
]
