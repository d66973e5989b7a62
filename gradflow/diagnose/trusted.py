"""What a scan found in, what the report says of it out."""

from __future__ import annotations

from gradflow.findings import Finding, Severity
from gradflow.scan import Threat


def describe_trusted(threat: Threat) -> Finding:
    """A note: the user knows, and who reads the report should know too."""
    return Finding("GF902", Severity.NOTE, f"let in by --trust: {threat.sentence}", "", (), None)


def describe_threat(threat: Threat) -> Finding:
    """An error: with this in it the model is not loaded."""
    remedy = f"{threat.remedy} lets it in, if you know where the file comes from"
    return Finding("GF902", Severity.ERROR, threat.sentence, remedy, (), None)
