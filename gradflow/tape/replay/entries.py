"""Follow which entries of a tensor come from which: through Concat, Split, Slice and their like.

A tensor that was joined of several has several parts. Gradient may arrive at some of them alone:
what came in by another part is then not dead at the join, but where its own part goes on. A list of
tensors is followed as if its rows were stacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.ops.families import ELEMENTWISE
from gradflow.tape.private_api import run_op
from gradflow.tape.replay.record import Record, Run, is_number

WHOLE = 1
"""The part of a tensor that has but one."""
_JOINS = frozenset({"ConcatV2", "Concat", "Pack"})
_MOVES = _JOINS.union(
    "BroadcastTo ExpandDims Gather GatherNd GatherV2 MirrorPad Pad PadV2 Reshape ReverseV2 Roll "
    "Slice Split SplitV Squeeze StridedSlice Tile Transpose Unpack".split()
)
"""Ops that bring entries to other places, and change none."""
_LISTS = frozenset(
    "TensorListFromTensor TensorListGather TensorListGetItem TensorListSetItem "
    "TensorListStack".split()
)
_ELEMENTWISE = ELEMENTWISE | {"CheckNumerics", "PreventGradient"}
"""Ops whose entries come each from the entries at the same place."""
_PASSING = frozenset({"", "Identity", "IdentityN"})
"""What gives each input as it is."""
_FOLLOWED = _MOVES | _LISTS | _ELEMENTWISE | _PASSING | {"TensorListReserve"}
_MAX_PARTS, _MAX_ENTRIES, _MAX_INPUTS = 64, 1_000_000, 8
"""Of one op: more are followed as one part."""
_BASE = _MAX_PARTS + 1
_INT32 = tf.int32.as_datatype_enum
Link = tuple[int, int, int, int]
"""The number of an input, its part, the number of an output, its part."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the tensors of a run."""

    labels: dict[int, Any] = field(default_factory=dict)
    """By slot, the part that each entry belongs to, 0 where it comes from nothing; missing where
    the tensor is one part."""
    links: dict[int, tuple[Link, ...]] = field(default_factory=dict)
    """By the number of its record in the run, how the parts of an op's inputs make those of its
    outputs; missing where all of them make all."""

    _present: dict[int, Sequence[int]] = field(default_factory=dict)
    """By slot the parts of a tensor, once they were looked for."""

    def of(self, slot: int) -> Sequence[int]:
        """Return the parts of a tensor."""
        if slot not in self.labels:
            return (WHOLE,)
        if slot not in self._present:
            found = np.unique(self.labels[slot])
            self._present[slot] = [int(part) for part in found if part]
        return self._present[slot]

    def pass_on(self, number: int, source: int, target: int) -> None:
        """Note that a record gives the divided tensor of ``source`` as it is."""
        self.labels[target], self._present[target] = self.labels[source], self.of(source)
        self.links[number] = tuple((0, part, 0, part) for part in self.of(source))


def parts_of(run: Run) -> Parts:
    """Divide the tensors of a run into the parts that they were joined of."""
    parts = Parts()
    for number, record in enumerate(run.records):
        if record.op not in _FOLLOWED or record.gradient is not None:
            continue
        if record.op == "TensorListReserve":
            _reserve(run, parts, number, record)
            continue
        can_hold = _can_be_list if record.op in _LISTS | _PASSING else is_number
        if not all(can_hold(run.tensors[slot]) for slot in record.outputs):
            continue  # shapes and indices are joined too
        if record.op not in _JOINS and parts.labels.keys().isdisjoint(record.inputs):
            continue
        if record.op in _PASSING and len(record.inputs) == len(record.outputs) == 1:
            parts.pass_on(number, record.inputs[0], record.outputs[0])
            continue
        try:
            _divide(run, parts, number, record)
        # No kernel for integers, a row that is not there: one part.
        except (tf.errors.OpError, IndexError, KeyError, TypeError, ValueError):
            continue
    return parts


def _can_be_list(tensor: Any) -> bool:
    return is_number(tensor) or bool(tensor.dtype == tf.variant)


def _reserve(run: Run, parts: Parts, number: int, record: Record) -> None:
    """Begin a list of floating tensors, whose rows come from nothing."""
    attrs = dict(zip(record.attrs[::2], record.attrs[1::2], strict=True))
    rows = int(run.tensors[record.inputs[1]])
    if tf.as_dtype(attrs["element_dtype"]).is_floating and rows <= _MAX_PARTS:
        parts.labels[record.outputs[0]] = np.zeros(rows, np.int32)
        parts.links[number] = ()


def _divide(run: Run, parts: Parts, number: int, record: Record) -> None:
    coded: dict[int, Any] = {}
    origins: dict[int, tuple[int, int]] = {}
    """By code, the number of an input and its part."""
    for place, slot in enumerate(record.inputs):
        tensor = run.tensors[slot]
        if not is_number(tensor) and slot not in parts.labels:
            continue
        if record.op == "PadV2" and place == 2:
            coded[place] = np.zeros((), np.int32)
            continue
        labels = parts.labels.get(slot)
        labels = np.full(tensor.shape, WHOLE, np.int32) if labels is None else labels
        codes = np.zeros_like(labels)
        for part in parts.of(slot):
            origins[len(origins) + 1] = place, part
            codes[labels == part] = len(origins)
        coded[place] = codes
    size = sum(codes.size for codes in coded.values())
    too_many = record.op in _ELEMENTWISE and len(coded) > _MAX_INPUTS
    if len(origins) > _MAX_PARTS or size > _MAX_ENTRIES or too_many:
        return
    links: list[Link] = []
    for output, (slot, made) in enumerate(
        zip(record.outputs, _outputs(run, record, coded), strict=True)
    ):
        labels, sources = _numbered(made)
        if len(sources) > 1 or not is_number(run.tensors[slot]):  # other rows of a list follow
            parts.labels[slot] = labels
        for part, codes in enumerate(sources, WHOLE):
            links += [(*origins[code], output, part) for code in codes]
    parts.links[number] = tuple(links)


def _outputs(run: Run, record: Record, coded: Mapping[int, Any]) -> Iterable[Sequence[Any]]:
    """Yield for each output the codes that its entries come from: one array, or several where an
    entry comes from several inputs."""
    if record.op in _PASSING:
        return [[coded[place]] if place in coded else [] for place in range(len(record.inputs))]
    if record.op in _ELEMENTWISE:
        shape = tuple(run.tensors[record.outputs[0]].shape)
        return [[np.broadcast_to(codes, shape) for codes in coded.values()]]
    if record.op in _LISTS:
        return [[_of_list(run, record, coded)]]
    inputs = [
        tf.constant(coded[place]) if place in coded else run.tensors[slot]
        for place, slot in enumerate(record.inputs)
    ]
    moved = run_op(record.op, len(record.outputs), inputs, _of_integers(record.attrs))
    return [[tensor.numpy()] for tensor in moved]


def _of_list(run: Run, record: Record, coded: Mapping[int, Any]) -> Any:
    """Return the codes of what an op makes of a list, or of the list that it makes."""
    rows = coded[0]
    if record.op in ("TensorListFromTensor", "TensorListStack"):
        return rows
    index = run.tensors[record.inputs[1]].numpy()
    if record.op != "TensorListSetItem":
        return rows[index]
    item = coded[2]
    if rows.ndim == 1:  # nothing was written to it yet
        rows = rows.reshape(-1, *(1,) * item.ndim)
    written = np.broadcast_to(rows, (len(rows), *item.shape)).copy()
    written[index] = item
    return written


def _of_integers(attrs: Sequence[Any]) -> tuple[Any, ...]:
    """Return the attrs of an op that moves entries, for entries that are integers."""
    pairs = zip(attrs[::2], attrs[1::2], strict=True)
    return tuple(
        item
        for name, value in pairs
        for item in (name, _INT32 if name in ("T", "Tparams") else value)
    )


def _numbered(made: Sequence[Any]) -> tuple[Any, list[tuple[int, ...]]]:
    """Number the different combinations of codes from 1 on: the number of each entry, and the codes
    of each number."""
    if not made:
        return None, []
    joint = np.zeros(made[0].shape, np.int64)
    for codes in made:
        joint = joint * _BASE + codes
    combinations, numbers = np.unique(np.ravel(joint), return_inverse=True)
    sources = [_digits(int(combination)) for combination in combinations]
    present = [codes for codes in sources if codes]
    new = np.cumsum([bool(codes) for codes in sources], dtype=np.int32)
    new[[not codes for codes in sources]] = 0
    return new[np.ravel(numbers)].reshape(made[0].shape), present


def _digits(joint: int) -> tuple[int, ...]:
    digits = []
    while joint:
        joint, digit = divmod(joint, _BASE)
        digits.append(digit)
    return tuple(digit for digit in digits if digit)
