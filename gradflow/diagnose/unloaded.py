"""Why a model could not be loaded in, what to say about it beside what its file alone tells out."""

from __future__ import annotations

from gradflow.findings import Finding, Severity


def describe_unloaded(message: str, hint: str) -> Finding:
    """A warning, so that ``--fail-on warning`` does not take a model that was never run for a good
    one."""
    return Finding(
        "GF901", Severity.WARNING, f"not run, read from the file alone: {message}", hint, (), None
    )
