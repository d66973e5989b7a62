"""Describe what a step asked of its tapes and what it gave its optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gradflow.diagnose import Measurement
from gradflow.findings import Verdict
from gradflow.tape.measure import measure
from gradflow.tape.watching.start_values import Start


@dataclass(slots=True, eq=False)
class GradientCall:
    """One call of ``GradientTape.gradient``, of ``jacobian`` or of ``tf.gradients``."""

    tape: int
    """The number of the tape."""
    graph: Any | None
    """The FuncGraph in which it stands; None where it was run eagerly."""
    targets: list[Any]
    """Places of recorded ops, or names of tensors of ``graph``."""
    asked: dict[int, list[Measurement]]
    """What came back for each variable, by the number of its handle; empty where that was not
    run."""
    watched: frozenset[int]
    """The handles of the variables that the tape watched."""
    source: str | None
    """The user's file and line."""
    method: str = "gradient"
    is_partial: bool = False
    """Whether its tape began to record before anybody listened."""
    begun_at: int = 0
    """How many eager ops were recorded before it."""
    start: Start = field(default_factory=Start)
    """What it started from, where it brought zeros."""

    def measure(self, results: Sequence[tuple[int, Any]]) -> bool:
        """Measure what came back for the variables with these handles; return whether some of it is
        zero or not finite."""
        measured = [(number, measure(gradient)) for number, gradient in results]
        for number, measurement in measured:
            self.asked[number].append(measurement)
        return any(is_telling(measurement) for _, measurement in measured)


@dataclass(slots=True, eq=False)
class Application:
    """What one optimizer was given at once."""

    optimizer: str
    given: dict[int, list[Measurement]]
    """The gradients that it was given, by the handles of the variables."""
    source: str | None
    accumulates: bool = False
    """Whether it adds up the gradients of several steps before it changes a weight."""
    results: list[tuple[int, Any]] = field(default_factory=list)

    def measure(self) -> None:
        """Measure the gradients."""
        for number, gradient in self.results:
            self.given[number].append(measure(gradient))
        self.results.clear()


@dataclass(slots=True, eq=False)
class Noted:
    """What was noted of an op while a graph was traced."""

    tapes: frozenset[int]
    layer: str


def is_telling(measurement: Measurement) -> bool:
    """Return whether only the values of the step tell why a gradient is what it is."""
    return measurement.verdict in (Verdict.ZERO, Verdict.NONFINITE)
