"""What a step brought to one op in, a few words for people out: ``passes 0 of 64 elements``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradflow.flow.layout import Place
from gradflow.flow.measured import Arrived
from gradflow.tape.backward import Backward
from gradflow.tape.replay import Record, Run

CANCELS = "is one of several whose gradients cancel to exactly 0"

_SWITCHES = frozenset({"Relu", "Relu6", "Minimum", "Maximum", "ClipByValue", "Select", "SelectV2", "Abs"})
"""Ops that pass gradient to some elements whole and to others not at all."""
_SATURATING = frozenset({"Sigmoid", "Tanh", "Softplus", "Softsign", "Elu", "Selu", "Erf", "Erfc"})
_SOFTMAX = frozenset({"Softmax", "LogSoftmax"})
_READS = frozenset({"ReadVariableOp", "ResourceGather"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value first left the finite numbers."""

    place: Place | None
    fed: str | None = None
    """The placeholder through which it came in, with a weight or an input."""


def dead_words(back: Backward, place: Place | None, inputs: Sequence[int], handles: Mapping[str, int]) -> str:
    """Say what the op at ``place``, which gets gradient and hands only zeros to ``inputs``, did with it.

    ``handles`` are the slots of the variables.
    """
    records = _records(back.run, place)
    if not records or place is None:
        return "hands on only zeros"
    if any(back.edges.get((place, number), Arrived(0)) & Arrived.SOMETHING for number in inputs):
        return CANCELS
    op = records[-1].op
    inputs = [number for number in inputs if (place, number) in back.edges]  # the others depend on no weight
    first = _array(back.run, records[-1].inputs[0])
    if op in _SWITCHES:
        return f"passes 0 of {sum(_size(back.run, record) for record in records):,} elements"
    if op in _SATURATING:
        return "is saturated: its slope is exactly 0"
    if op in _SOFTMAX and first is not None and first.shape[-1:] == (1,):
        return "is taken over a single class, so it is constant"
    others = [slot for number, slot in enumerate(records[-1].inputs) if number not in inputs]
    zeros = [slot for slot in others if _is_zero(back.run, slot)]
    return f"multiplies by zero{_origin_of_zeros(back.run, zeros[0], handles)}" if zeros else "hands on only zeros"


def _origin_of_zeros(run: Run, slot: int, handles: Mapping[str, int]) -> str:
    """The weight that is all zeros, or the op that made zeros out of something else."""
    made = {output: record for record in run.records for output in record.outputs}
    while slot in made:
        record = made[slot]
        weight = next((name for name, handle in handles.items() if handle in record.inputs), None)
        if weight is not None:
            return f": the weight {weight!r} is all zeros"
        earlier = [source for source in record.inputs if _array(run, source) is not None]
        zeros = [source for source in earlier if _is_zero(run, source)]
        if not zeros:
            return f": {record.op} {record.places[0][1]!r} gives all zeros" if earlier else ""
        slot = zeros[0]
    return ""


def nonfinite_words(back: Backward, place: Place | None) -> str:
    """Say at which forward value the op at ``place`` makes NaN or Inf."""
    for record in reversed(_records(back.run, place)):
        output = _array(back.run, record.outputs[0]) if record.outputs else None
        for number, slot in enumerate(record.inputs):
            array = _array(back.run, slot)
            gradient = back.gradients.get(slot)
            handed = back.edges.get((record.places[0], number), Arrived(0))
            if array is None or gradient is None or not handed & Arrived.NONFINITE:
                continue
            bad = ~np.isfinite(_dense(gradient))
            if bad.shape == array.shape and bad.any():
                return _at(array[bad][0], output[bad][0] if output is not None and output.shape == bad.shape else None)
        if output is not None and not np.isfinite(output).all():
            bad = ~np.isfinite(output)
            array = _array(back.run, record.inputs[0]) if record.inputs else None
            value = array[bad][0] if array is not None and array.shape == bad.shape else None
            return _at(value, output[bad][0])
    return "makes NaN or Inf in the backward pass"


def origin_of_nonfinite(back: Backward, place: Place | None) -> Origin | None:
    """The op that first made NaN or Inf in the forward pass, above the one at ``place``; None where all is finite."""
    run = back.run
    made = {slot: record for record in run.records for slot in record.outputs}
    start = next(
        (
            slot
            for record in _records(run, place)
            for slot in (*record.inputs, *record.outputs)
            if not _finite(run, slot)
        ),
        None,
    )
    while start is not None:
        record = made.get(start)
        if record is None or record.op in _READS:
            came = start if record is None else record.inputs[0]
            return Origin(None, next((name for name, slot in run.fed.items() if slot == came), None))
        earlier = next((slot for slot in record.inputs if not _finite(run, slot)), None)
        if earlier is None:
            return Origin(record.places[0])
        start = earlier
    return None


def _at(value: Any, output: Any) -> str:
    words = f"at input {_number(value)}" if value is not None else "makes it"
    return words if output is None else f"{words} (its value there is {_number(output)})"


def _number(value: Any) -> str:
    return f"{complex(value) if np.iscomplexobj(value) else float(value):.3g}"


def _records(run: Run, place: Place | None) -> list[Record]:
    return [record for record in run.records if record.op and place in record.places]


def _is_zero(run: Run, slot: int) -> bool:
    array = _array(run, slot)
    return array is not None and bool(array.size) and not array.any()


def _size(run: Run, record: Record) -> int:
    arrays = [array for slot in record.outputs if (array := _array(run, slot)) is not None]
    return max((array.size for array in arrays), default=0)


def _finite(run: Run, slot: int) -> bool:
    array = _array(run, slot)
    return array is None or bool(np.isfinite(array).all())


def _array(run: Run, slot: int) -> Any:
    """The numbers of a floating tensor; None for any other."""
    tensor = run.tensors[slot]
    if not (tensor.dtype.is_floating or tensor.dtype.is_complex):
        return None
    array = tensor.numpy()
    return array if array.dtype.kind in "fc" else array.astype(np.float32)  # bfloat16 is a NumPy extension type


def _dense(gradient: Any) -> Any:
    values = getattr(gradient, "values", gradient).numpy()
    return values if values.dtype.kind in "fc" else values.astype(np.float32)
