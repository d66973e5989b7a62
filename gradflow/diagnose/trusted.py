"""What a scan found and the user lets in in, what the report says of it out."""

from __future__ import annotations

from gradflow.findings import Finding, Severity
from gradflow.scan import Threat


def describe_trusted(threat: Threat) -> Finding:
    """A note: the user knows, and who reads the report should know too."""
    return Finding("GF902", Severity.NOTE, f"let in by --trust: {threat.sentence}", "", (), None)
