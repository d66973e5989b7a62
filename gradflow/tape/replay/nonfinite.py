"""Name the op that makes NaN or Inf of a finite gradient, with its forward value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.measured import Arrived
from gradflow.ops.families import READS
from gradflow.tape.replay.index import Trail, numbers
from gradflow.tape.replay.record import Record


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value first left the finite numbers."""

    key: NodeKey | None
    """None where it came in with a weight or an input."""
    weight: str | None = None


def origin(trail: Trail, key: NodeKey | None) -> Origin:
    """Return the op that first made NaN or Inf in the forward pass, at or above ``key``; ``key``
    where all is finite."""
    slots = [slot for record in _at(trail, key) for slot in (*record.inputs, *record.outputs)]
    slot = next((slot for slot in slots if not trail.is_finite(slot)), None)
    while slot is not None:
        record = trail.makers.get(slot)
        if record is None or record.op in READS:
            return Origin(None, trail.weight_read_by(record) if record is not None else None)
        earlier = next((source for source in record.inputs if not trail.is_finite(source)), None)
        if earlier is None:
            return Origin(record.keys[0])
        slot = earlier
    return Origin(key)


def words(trail: Trail, key: NodeKey | None) -> str:
    """Say at which forward values the op at ``key`` makes NaN or Inf."""
    for record in reversed(_at(trail, key)):
        output = trail.array(record.outputs[0])
        if output is not None and not np.isfinite(output).all():
            return _words(trail, record, output, ~np.isfinite(output))
        for number, slot in enumerate(record.inputs):
            gradient = trail.back.gradients.get(slot)
            if gradient is not None and trail.handed(record, number) & Arrived.NONFINITE:
                return _words(trail, record, output, ~np.isfinite(numbers(gradient)))
    return "in the backward pass"


def _words(trail: Trail, record: Record, output: Any, bad: Any) -> str:
    values = [_first(trail.array(slot), bad) for slot in record.inputs]
    shown = [_number(value) for value in values if value is not None]
    parts = (
        [f"at input{'s' if len(shown) > 1 else ''} {' and '.join(shown)}"]
        if shown
        else ["in the backward pass"]
    )
    value = _first(output, bad)
    if value is not None and not np.isfinite(value):
        parts.append(f"its value there is {_number(value)}")
    dtype = trail.back.run.tensors[record.outputs[0]].dtype.name
    if dtype in ("float16", "bfloat16") and value is not None and np.isinf(value):
        parts.append(f"beyond the range of {dtype}")
    return ", ".join(parts)


def _at(trail: Trail, key: NodeKey | None) -> list[Record]:
    return (
        [record for record in trail.runs.get(key, ()) if record.op and record.outputs]
        if key is not None
        else []
    )


def _first(array: Any, mask: Any) -> Any:
    """Return the value at the first place that is marked, where the shapes fit."""
    try:
        return (
            np.broadcast_to(array, mask.shape)[mask][0]
            if array is not None and mask.any()
            else None
        )
    except ValueError:
        return None


def _number(value: Any) -> str:
    return f"{complex(value) if np.iscomplexobj(value) else float(value):.2g}"
