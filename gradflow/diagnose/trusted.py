"""What a scan found in, what the report says of it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gradflow.findings import Finding, Severity
from gradflow.scan import Threat


def describe_trusted(threats: Iterable[Threat]) -> list[Finding]:
    """A note for each thing that was let in: the user knows, and who reads the report should know
    too."""
    found: dict[tuple[str, str], list[Threat]] = {}
    for threat in threats:
        found.setdefault((threat.what, threat.harm), []).append(threat)
    return [_let_in(first, len(others)) for first, *others in found.values()]


def _let_in(threat: Threat, others: int) -> Finding:
    places = f" and {others:,} more place{'s' if others > 1 else ''}" if others else ""
    sentence = replace(threat, where=f"{threat.where}{places}").sentence
    return Finding("GF902", Severity.NOTE, f"let in by --trust: {sentence}", "", (), None)


def describe_threat(threat: Threat) -> Finding:
    """An error: with this in it the model is not loaded."""
    remedy = f"{threat.remedy} lets it in, if you know where the file comes from"
    what = f"{threat.what}: {threat.harm}"
    return Finding("GF902", Severity.ERROR, threat.sentence, remedy, (), None, what, threat.where)
