"""Report what stood in the way of loading a model: what the scan found, and why it was not run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gradflow.catalogue import entry
from gradflow.findings import Finding, Severity
from gradflow.scan import Threat

_DOUBT = "believe this report as far as you trust the file: what was let in can have changed it"


def describe_threat(threat: Threat) -> Finding:
    """Make an error of a threat that keeps the model from being loaded."""
    remedy = threat.way_out or f"{threat.remedy} lets it in, if you know where the file comes from"
    finding = entry("GF902").finding(threat.sentence, (), None, hint=remedy)
    return replace(finding, threat=f"{threat.name}: {threat.harm}", location=threat.location)


def describe_trusted(threats: Iterable[Threat]) -> list[Finding]:
    """Make a note of each kind of threat that ``--trust`` let in, for those who read the report."""
    alike: dict[tuple[str, str], list[Threat]] = {}
    for threat in threats:
        alike.setdefault((threat.name, threat.harm), []).append(threat)
    return [_let_in(first, len(repeats)) for first, *repeats in alike.values()]


def describe_unloaded(message: str, hint: str) -> Finding:
    """Make a warning of a model that was never run.

    A note would not do: with ``--fail-on warning`` the model would pass.
    """
    text = f"not run, read from the file alone: {message}"
    return entry("GF901").finding(text, (), None, severity=Severity.WARNING, hint=hint)


def _let_in(threat: Threat, repeats: int) -> Finding:
    more = f" and {repeats:,} more place{'s' if repeats > 1 else ''}" if repeats else ""
    sentence = replace(threat, location=f"{threat.location}{more}").sentence
    text = f"let in by --trust: {sentence}"
    return entry("GF902").finding(text, (), None, severity=Severity.NOTE, hint=_DOUBT)
