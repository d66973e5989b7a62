"""Report expectations and ignores that cover nothing, with the nearest name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gradflow.catalogue import entry
from gradflow.findings import Expectation, ExpectationStatus, Finding, ModelReport, Role, Severity
from gradflow.patterns import TAKEN_OUT, covers
from gradflow.text import closest


def unmatched(model: ModelReport, outcomes: Iterable[Expectation]) -> Iterator[Finding]:
    """Report each of ``outcomes`` that covers no weight (GF403): it checks nothing."""
    for outcome in outcomes:
        if outcome.status is ExpectationStatus.UNMATCHED:
            text = f"expect.{outcome.kind} {outcome.pattern!r}"
            text += (
                " takes out no weight that a pattern before it covers"
                if outcome.pattern.startswith(TAKEN_OUT)
                else " covers no weight"
            )
            message, hint = _explained(model, outcome.pattern, text)
            yield entry("GF403").finding(message, (), None, hint=hint)


def unmatched_ignore(
    model: ModelReport, pattern: str, codes: Iterable[str], is_expired: bool
) -> Finding:
    """Report an ignore that matches no finding (GF403): it would hide the next fault of that
    name."""
    ignore = f"ignore {pattern!r}"
    ignore += f" of {', '.join(codes)}" if codes else ""
    message = f"{ignore} {'has expired and ' if is_expired else ''}matches no finding"
    hint = "remove it: the finding that it was for is gone"
    if not any(covers(pattern, variable) for variable in model.variables):
        message, hint = _explained(model, pattern, message)
    return entry("GF403").finding(message, (), None, severity=Severity.WARNING, hint=hint)


def _explained(model: ModelReport, pattern: str, text: str) -> tuple[str, str]:
    """Return the message and the hint: the state that the pattern covers, or the nearest name."""
    sign = TAKEN_OUT if pattern.startswith(TAKEN_OUT) else ""
    pattern = pattern.removeprefix(TAKEN_OUT)
    state = [
        variable.name
        for variable in model.variables
        if variable.role is Role.STATE and covers(pattern, variable)
    ]
    if state:
        first = f"{state[0]!r} and {len(state) - 1:,} more" if len(state) > 1 else f"{state[0]!r}"
        return (
            f"{text}, only state ({first}), which is never trained",
            "name weights, or take it out",
        )
    weights = [variable for variable in model.variables if variable.role is Role.WEIGHT]
    names = [name for weight in weights for name in (weight.name, weight.layer_path) if name]
    parents = {
        "/".join(name.split("/")[:depth])
        for name in names
        for depth in range(1, name.count("/") + 1)
    }
    if pattern.rstrip("/") in parents:
        return text, f"it is a layer: write '{sign}{pattern.rstrip('/')}/**' for its weights"
    stem = pattern.removesuffix("/**").removesuffix("/*")
    close = closest(stem, sorted({*names, *parents}))
    if close and close[0] != stem:
        return text, f"did you mean {sign + close[0] + pattern[len(stem) :]!r}?"
    return text, entry("GF403").fix
