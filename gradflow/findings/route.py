"""Define what ``gradflow why`` tells: a variable's way to the output, and the smallest repair."""

from __future__ import annotations

from dataclasses import dataclass, field

from gradflow.findings.types import INTERNAL, Cause, Step


@dataclass(frozen=True, slots=True)
class Change:
    """One of the changes that together bring the gradient back."""

    cause: Cause
    """The cut or other reason that it does away with."""
    reason: str
    """What the cause does, in one line."""
    fix: str
    behind: tuple[str, ...]
    """The other weights that the cause holds back: frozen with it, or behind it and without a
    useful gradient."""


@dataclass(frozen=True, slots=True)
class Route:
    """One variable, its way, and the smallest repair."""

    variable: str
    """Its full name."""
    steps: tuple[Step, ...]
    """From the variable to the output along the fewest cuts; empty where there is no way, or no
    graph."""
    output: str | None
    """The output where the way ends, where it is known."""
    changes: tuple[Change, ...]
    """The smallest set of changes that lets it train, from the variable to the output; empty where
    nothing is wrong."""
    also_restored: tuple[str, ...]
    """The other weights to which the same changes bring a gradient."""
    other_ways: tuple[Cause, ...] = ()
    """The cuts of the other repairs that are as small, along other ways to the output."""
    way: tuple[Step, ...] = field(default=(), metadata=INTERNAL)
    """``steps`` as layers: one step each."""
