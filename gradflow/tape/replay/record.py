"""Keep every op that a replay runs, in order, with its tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradflow.flow.lower.layout import NodeKey

_MAX_RECORDS = 1_000_000

Gradient = Callable[..., Sequence[Any]]
"""As TensorFlow registers it: the op and the gradients of its outputs in, those of its inputs
out."""


class ReplayError(Exception):
    """The graph holds something that cannot be run op by op."""


def is_number(tensor: Any) -> bool:
    """Return whether a tensor is floating or complex, so that a gradient can arrive at it."""
    return bool(tensor.dtype.is_floating or tensor.dtype.is_complex)


@dataclass(frozen=True, slots=True)
class Record:
    """One op that was run, or a tensor that was passed on (``op`` is empty)."""

    op: str
    attrs: tuple[Any, ...]
    """Name, value, name, value, ... as gradient functions ask for them."""
    inputs: tuple[int, ...]
    """Slots of the tensors that it took and gave."""
    outputs: tuple[int, ...]
    keys: tuple[NodeKey, ...]
    """One for all outputs of an op; one each where tensors are passed on."""
    gradient: Gradient | None = None
    """The user's own gradient function, where it has one."""
    decided_by: tuple[int, ...] = ()
    """Slots of the condition that chose what is passed on."""


@dataclass(slots=True)
class Run:
    """All that was run, in order."""

    records: list[Record] = field(default_factory=list)
    tensors: list[Any] = field(default_factory=list)
    """By slot."""
    outputs: list[int] = field(default_factory=list)
    """Slots of the graph's outputs."""
    fed: dict[str, int] = field(default_factory=dict)
    """Slots of the graph's inputs and captures, by the name of their placeholder."""

    constants: dict[int, NodeKey] = field(default_factory=dict)
    """The places of the constants, by their slot."""

    def slot(self, tensor: Any) -> int:
        """Keep a tensor and return its number."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def add(self, record: Record) -> None:
        """Keep a record.

        Raises:
            ReplayError: there are too many of them.
        """
        if len(self.records) >= _MAX_RECORDS:
            raise ReplayError(f"more than {_MAX_RECORDS:,} ops were run")
        self.records.append(record)

    def pass_on(self, slot: int, key: NodeKey, decided_by: Sequence[int] = ()) -> int:
        """Return the same tensor under a slot of its own."""
        passed = self.slot(self.tensors[slot])
        self.add(Record("", (), (slot,), (passed,), (key,), decided_by=tuple(decided_by)))
        return passed
