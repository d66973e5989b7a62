"""Expectations that cover no weight in, findings that say why out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from gradflow.catalogue import entry
from gradflow.findings import Expectation, ExpectationStatus, Finding, ModelReport, Role, Severity
from gradflow.patterns import covers


def unmatched(model: ModelReport, outcomes: Iterable[Expectation]) -> Iterator[Finding]:
    """GF403 for each of ``outcomes`` that covers nothing: it checks nothing, and would say so for
    ever."""
    for one in outcomes:
        if one.status is ExpectationStatus.UNMATCHED:
            text = f"expect.{one.kind} {one.pattern!r} covers no weight"
            yield Finding("GF403", Severity.ERROR, *_explained(model, one.pattern, text), (), None)


def unmatched_ignore(
    model: ModelReport, pattern: str, codes: Iterable[str], is_expired: bool
) -> Finding:
    """GF403 for an ignore that nothing is left of: it would hide the next fault of that name."""
    what = f"ignore {pattern!r}"
    what += f" of {', '.join(codes)}" if codes else ""
    text = f"{what} {'has expired and ' if is_expired else ''}matches no finding"
    if any(covers(pattern, variable) for variable in model.variables):
        return Finding(
            "GF403", Severity.WARNING, text, "take it out: what it was for is mended", (), None
        )
    return Finding("GF403", Severity.WARNING, *_explained(model, pattern, text), (), None)


def _explained(model: ModelReport, pattern: str, text: str) -> tuple[str, str]:
    """The message and the hint: the state that is covered, or the nearest name."""
    state = [one.name for one in model.variables if one.role is Role.STATE and covers(pattern, one)]
    if state:
        first = f"{state[0]!r} and {len(state) - 1:,} more" if len(state) > 1 else f"{state[0]!r}"
        return (
            f"{text}, only state ({first}), which is never trained",
            "name weights, or take it out",
        )
    weights = [one for one in model.variables if one.role is Role.WEIGHT]
    names = [name for one in weights for name in (one.name, one.place) if name]
    parents = {
        "/".join(name.split("/")[:depth])
        for name in names
        for depth in range(1, name.count("/") + 1)
    }
    if pattern.rstrip("/") in parents:
        return text, f"it is a layer: write '{pattern.rstrip('/')}/**' for its weights"
    stem = pattern.removesuffix("/**").removesuffix("/*")
    close = difflib.get_close_matches(stem, sorted({*names, *parents}), n=1)
    if close and close[0] != stem:
        return text, f"did you mean {close[0] + pattern[len(stem) :]!r}?"
    return text, entry("GF403").fix
