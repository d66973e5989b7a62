"""Say a finding in one line that names the weights behind it."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.catalogue import CATALOGUE
from gradflow.catalogue.op_fixes import fix_of
from gradflow.findings import Cause, Finding, Severity, Variable
from gradflow.report.people.layers import by_layer, listed, stretches, totals
from gradflow.text import shown

_MAX_LAYERS = 4


def sentence(finding: Finding, variables: Sequence[Variable]) -> str:
    """``gradient is stopped by StopGradient 'net/stop' (net.py:41; 2 weights in 1 layer, 42
    parameters: dense_0)``."""
    source = finding.cause.source if finding.cause else None
    details = [shown(source)] if source and source not in finding.message else []
    rows = stretches(by_layer(variables), _MAX_LAYERS)
    details += [f"{totals(rows)}: {listed(rows, _MAX_LAYERS)}"] if rows else []
    return located(finding) + (f" ({'; '.join(details)})" if details else "")


def located(finding: Finding) -> str:
    """Return the message of a finding, after the layers that the cut stands between: ``between a
    and b, gradient is stopped by ...``."""
    parts = (position(finding.between), shown(finding.message))
    return ", ".join(part for part in parts if part)


def position(between: tuple[str, str] | None) -> str:
    """``between a and b``, or ``in layer a`` for a cut inside of one; empty for None."""
    if between is None:
        return ""
    behind, before = map(shown, between)
    return f"in layer {behind}" if behind == before else f"between {behind} and {before}"


def remedy(finding: Finding) -> str:
    """Return what to do about a finding; empty for a note without a hint."""
    usual = (
        CATALOGUE[finding.code].fix
        if finding.code in CATALOGUE and finding.severity is not Severity.NOTE
        else ""
    )
    return shown(finding.hint or usual)


def snippet(cause: Cause | None, fix: str) -> Sequence[str]:
    """Return lines of code that do what ``fix`` says about the op of ``cause``, or none."""
    of_op = fix_of(cause.code, cause.op_type) if cause is not None else None
    return of_op.code.splitlines() if of_op is not None and fix.startswith(of_op.fix) else ()


def title(code: str) -> str:
    """``GF201 stop_gradient``."""
    return f"{shown(code)} {CATALOGUE[code].kind}" if code in CATALOGUE else shown(code)
