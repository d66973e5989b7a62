"""What the witnesses say about one model: the file, the graph and the tape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gradflow.files.contents import StoredVariable
from gradflow.files.doubts import FreezeDoubt
from gradflow.findings import Gradient, Verdict
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import FlowGraph


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one tape step brought to a variable."""

    gradient: Gradient | None
    """None where the tape gave None."""
    finite: bool
    """False where an entry is NaN or Inf."""

    @property
    def verdict(self) -> Verdict:
        """The tape's word alone."""
        if self.gradient is None:
            return Verdict.NONE
        if not self.finite:
            return Verdict.NONFINITE
        return Verdict.FLOWS if self.gradient.zero_fraction < 1.0 else Verdict.ZERO


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about a model before anything is concluded."""

    variables: tuple[StoredVariable, ...]
    measurements: Mapping[str, Measurement] | None
    """By variable name; None in a static reading."""
    graph: FlowGraph | None
    """None where the file holds no graph, or where nothing needs an explanation."""
    attributions: Mapping[str, Attribution]
    """By variable name; a variable that the entry does not use is not in it."""
    layer_of: Callable[[str], str | None]
    """The layer that an op belongs to, by the op's name."""
    selected: tuple[str, ...] = ()
    """The outputs that the user asked for; empty for all."""
    doubts: tuple[FreezeDoubt, ...] = ()
