"""Index a replayed step: who made and who read each of its tensors, and what their numbers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.measured import Arrived
from gradflow.tape.measure import shared_array
from gradflow.tape.replay.backward import Backward
from gradflow.tape.replay.record import Record, is_number


@dataclass(frozen=True, slots=True)
class Trail:
    """A step that was run op by op, to be followed along its tensors."""

    back: Backward
    handles: Mapping[str, int]
    """The slot of each variable's handle, by its name."""
    makers: Mapping[int, Record]
    """What made a tensor, by its slot."""
    readers: Mapping[int, Sequence[Record]]
    """What took a tensor, in the order of the run."""
    runs: Mapping[NodeKey, Sequence[Record]]
    """The runs of the op at a place."""

    def array(self, slot: int) -> Any:
        """Return the numbers of a floating tensor; None for any other."""
        tensor = self.back.run.tensors[slot]
        return numbers(tensor) if is_number(tensor) else None

    def size(self, slot: int) -> int:
        """Return how many numbers a floating tensor has; 0 for any other."""
        array = self.array(slot)
        return 0 if array is None else int(array.size)

    def is_zero(self, slot: int) -> bool:
        """Return whether a floating tensor holds nothing but zeros."""
        array = self.array(slot)
        return array is not None and bool(array.size) and not array.any()

    def is_finite(self, slot: int) -> bool:
        """Return whether a tensor holds neither NaN nor Inf."""
        array = self.array(slot)
        return array is None or bool(np.isfinite(array).all())

    def handed(self, record: Record, number: int) -> Arrived:
        """Return what the op handed to its input of that number, over all its runs."""
        return self.back.edges.get((record.keys[0], number), Arrived(0))

    def gradient_of(self, name: str) -> Any:
        """Return the gradient of a variable; None where it got none."""
        return self.back.gradients.get(self.handles.get(name, -1))

    def weight_read_by(self, record: Record) -> str | None:
        """Return the variable whose value an op reads."""
        return next(
            (name for name, handle in self.handles.items() if handle in record.inputs), None
        )


def trail(back: Backward, handles: Mapping[str, int]) -> Trail:
    """Index a run."""
    makers: dict[int, Record] = {}
    readers: dict[int, list[Record]] = {}
    runs: dict[NodeKey, list[Record]] = {}
    for record in back.run.records:
        makers.update(dict.fromkeys(record.outputs, record))
        for slot in record.inputs:
            readers.setdefault(slot, []).append(record)
        for key in record.keys:
            runs.setdefault(key, []).append(record)
    return Trail(back, handles, makers, readers, runs)


def numbers(tensor: Any) -> Any:
    """Return a tensor as an array that NumPy can calculate with: bfloat16 is an extension type."""
    array = shared_array(getattr(tensor, "values", tensor))
    return array if array.dtype.kind in "fc" else array.astype(np.float32)
