"""Define what ``gradflow why`` tells: a variable's way to the output, and the smallest repair."""

from __future__ import annotations

from dataclasses import field

from gradflow.findings.types import Cause, Step, Variable
from gradflow.findings.wire_names import INTERNAL
from gradflow.lazy_dataclass import dataclass


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
    between: tuple[str, str] | None = None
    """As in a finding: the last layer behind the cut and the first before it; None where it stands
    at no op, or nobody knows."""


@dataclass(frozen=True, slots=True)
class CutElsewhere:
    """A cut on another way to the output, which needs no change."""

    cause: Cause
    between: tuple[str, str] | None
    """As in a change."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a real step brought with the cuts of the smallest repair let through.

    The backward pass alone is changed: the gradient goes over a cut as if its op were the identity,
    or by a random projection where the shapes differ.
    """

    restored: bool
    """A gradient that is finite and not all zero arrives."""
    norm: float | None
    """Of the gradient that arrives; None where it is not finite."""
    stopped_by: Cause | None
    """What still stops it, next to the output; ``changes`` ends with what is to be done about
    it."""


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
    also_cut: tuple[CutElsewhere, ...] = ()
    """The cuts of ``other_ways``, and the other causes of the variable that are left as they
    are."""
    way: tuple[Step, ...] = field(default=(), metadata=INTERNAL)
    """``steps`` as layers: one step each."""
    proof: Proof | None = None
    """None where there is no cut to let through, nothing was run, or the step cannot be run so."""
    unproven: str = ""
    """Why the cuts could not be let through."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What is answered of one variable."""

    variable: Variable
    route: Route
