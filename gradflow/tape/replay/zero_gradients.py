"""Name the op that gets gradient and hands on only zeros, and say what happens there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.catalogue.data_fixes import OTHER_SIDE_FIX, SWITCH_FIX
from gradflow.diagnose import SINGLE_CLASS_FIX
from gradflow.diagnose.evidence import GIVES_ZEROS
from gradflow.diagnose.wording import WEIGHT_FIX
from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.measured import Arrived
from gradflow.tape.replay.backward import arrived_at
from gradflow.tape.replay.chance import odds_of_nothing
from gradflow.tape.replay.index import Trail
from gradflow.tape.replay.record import Record
from gradflow.tape.replay.root import (
    CONSTANT_FIX,
    OVER_ONE,
    OVER_ONE_FIX,
    ends_over_one,
    is_fused_over_one,
    root_of,
)
from gradflow.tape.replay.single_class import is_single_class

_SWITCHES = frozenset(
    {"Relu", "Relu6", "Minimum", "Maximum", "ClipByValue", "Select", "SelectV2", "Abs"}
)
"""Ops that pass gradient to some elements whole and to others not at all."""
_SATURATING = frozenset({"Sigmoid", "Tanh", "Softplus", "Softsign", "Elu", "Selu", "Erf", "Erfc"})
_JOINS = frozenset(
    {"Concat", "ConcatV2", "Pack", "TensorListPushBack", "TensorListSetItem", "ParallelConcat"}
)
UNUSED_ENTRIES = "gets nothing but zeros for the entries that come from there"
"""Of an op that joins tensors: they may be used, or stopped, part by part behind it."""
ENTRIES_FIX = (
    "look behind it for what leaves these entries out or stops them: an index, a slice, a mask, a "
    "stop_gradient on a part"
)
_SELECTS = frozenset({"Select", "SelectV2"})
_SELECT_FIX = (
    "its condition is a constant, which takes the other side for every entry: let it depend on "
    "the data, or leave the weight out"
)
DROPPED = "drops it at random"
CANCELS = "brings together ways whose gradients cancel to exactly 0"
LOSS_SCALE_FIX = (
    "use a loss scale: keras.optimizers.LossScaleOptimizer, or a policy of mixed_float16"
)
_LOSSES = "compile_loss"
"""The scope in which Keras 3 weighs and adds the losses that a model was compiled with; each has
its own within."""
_ONE_STEP = "a recurrent layer with a single time step needs more of them"
_SINGLE_TRIP = "the loop makes a single trip here, on its initial state: give it more time steps"
_SATURATED = "is saturated: its slope is exactly 0"
_SATURATED_FIX = "scale down what comes in, or use an activation that does not saturate"
_MIRRORS = ("Neg", "Identity", "")


@dataclass(frozen=True, slots=True)
class Death:
    """Where and how a gradient dies."""

    key: NodeKey | None
    words: str
    """To follow the op's name in a sentence."""
    fix: str = ""
    """What to do about it; empty where only the catalogue's general advice is to be had."""
    weight: str | None = None
    """The weight of zeros that the gradient is multiplied with."""
    chance: float = 0.0
    """How likely that is in one draw, where what is drawn at random decides over it."""


def words_for(op: str) -> tuple[str, str]:
    """Say what an op that hands on only zeros does, and what to do, where no more is known of it
    than its type."""
    if op in _SWITCHES:
        return "passes none of its elements", SWITCH_FIX
    if op in _SATURATING:
        return _SATURATED, _SATURATED_FIX
    return GIVES_ZEROS, ""


def death(trail: Trail, key: NodeKey | None, inputs: Sequence[int]) -> Death:
    """Say what the op at ``key``, which gets gradient, did so that only zeros arrive at
    ``inputs``."""
    records = trail.runs.get(key, ()) if key is not None else ()
    if not records:
        return Death(key, GIVES_ZEROS)
    record = records[-1]
    cancelling = [number for number in inputs if trail.handed(record, number) & Arrived.SOMETHING]
    if cancelling and not _can_cancel(trail, record, cancelling[0]):
        return Death(key, UNUSED_ENTRIES, ENTRIES_FIX)
    if cancelling:
        return _cancelled(trail, record, cancelling[0])
    # The others depend on no weight.
    inputs = [number for number in inputs if trail.handed(record, number)]
    odds = odds_of_nothing(trail, record, inputs)
    if odds is not None:
        return Death(key, DROPPED, chance=odds)
    own = _by_its_own(trail, key, records, inputs)
    if own is not None:
        return own
    zeros = [
        slot
        for number, slot in enumerate(record.inputs)
        if number not in inputs and trail.is_zero(slot)
    ]
    if zeros:
        return _multiplied(trail, key, zeros[0])
    dtype = trail.back.run.tensors[record.outputs[0]].dtype.name
    if dtype in ("float16", "bfloat16"):
        return Death(key, f"{GIVES_ZEROS}: {dtype} has no number so small", LOSS_SCALE_FIX)
    if record.op in _JOINS:
        return Death(key, UNUSED_ENTRIES, ENTRIES_FIX)
    return Death(key, GIVES_ZEROS)


def _by_its_own(
    trail: Trail, key: NodeKey | None, records: Sequence[Record], inputs: Sequence[int]
) -> Death | None:
    """Return what the op alone explains."""
    op = records[-1].op
    if op in _SWITCHES:
        return _switched_off(trail, records, inputs)
    if op in _SATURATING:
        return Death(key, _SATURATED, _SATURATED_FIX)
    if is_single_class(trail, records[-1]):
        words = "is taken over a single class, so that it is constant"
        return Death(key, words, SINGLE_CLASS_FIX)
    if is_fused_over_one(trail, records[-1]):
        return Death(records[-1].keys[0], OVER_ONE, OVER_ONE_FIX)
    return None


def _switched_off(trail: Trail, records: Sequence[Record], inputs: Sequence[int] = ()) -> Death:
    """Say of an op that passes no element why: what comes in may be zeros that something before it
    makes."""
    root = root_of(trail, records[-1], inputs)
    if root is not None:
        return Death(root.key, root.words, root.fix)
    is_on_another_way = not inputs and any(
        _arrives(trail, slot) for slot in _earlier(trail, records[-1])
    )
    fix = OTHER_SIDE_FIX if is_on_another_way else SWITCH_FIX
    if records[-1].op in _SELECTS and records[-1].inputs[0] in trail.back.run.constants:
        fix = _SELECT_FIX
    return Death(records[-1].keys[0], _passes_none(trail, records), fix)


def _passes_none(trail: Trail, records: Sequence[Record]) -> str:
    arrays = [trail.array(record.outputs[0]) for record in records]
    bounds = [trail.array(slot) for record in records for slot in record.inputs]
    why = "compares with NaN, so that it " if any(_has_nan(bound) for bound in bounds) else ""
    return f"{why}passes 0 of {sum(array.size for array in arrays if array is not None):,} elements"


def _has_nan(array: Any) -> bool:
    return array is not None and bool(np.isnan(array).any())


def _multiplied(trail: Trail, key: NodeKey | None, slot: int) -> Death:
    """The gradient is multiplied with zeros: name the weight that holds them, or the op that made
    them."""
    while slot in trail.makers:
        record = trail.makers[slot]
        weight = trail.weight_read_by(record)
        if weight is not None:
            return Death(
                key, f"multiplies by zero: the weight {weight!r} is all zeros", weight=weight
            )
        if ends_over_one(trail, record):
            return Death(record.keys[0], OVER_ONE, OVER_ONE_FIX)
        root = root_of(trail, record) if record.op in _SWITCHES else None
        if root is not None:
            return Death(root.key, root.words, root.fix)
        earlier = _earlier(trail, record)
        zeros = [source for source in earlier if trail.is_zero(source)]
        if earlier and not zeros:
            if record.op in _SWITCHES:
                return _switched_off(trail, trail.runs[record.keys[0]])
            return Death(
                record.keys[0], "gives all zeros, and what is multiplied with them gets nothing"
            )
        if not zeros:
            break
        slot = zeros[0]
    if key is not None and key.name.rpartition("/")[0] == _LOSSES:
        return Death(
            key, "multiplies by zero: loss_weights gives this loss the weight 0", WEIGHT_FIX
        )
    is_single = key is not None and key.copy.endswith(">body") and len(trail.runs.get(key, ())) == 1
    if slot not in trail.back.run.constants:
        return Death(key, "multiplies by zero: its other input is all zeros")
    fix = _SINGLE_TRIP if is_single else f"{CONSTANT_FIX}; {_ONE_STEP}"
    return Death(key, "multiplies by zero: its other input is a constant 0", fix)


def _earlier(trail: Trail, record: Record) -> list[int]:
    """Return the floating inputs of an op; of a unit those that lead to a weight, not its bound."""
    floating = [
        (number, slot) for number, slot in enumerate(record.inputs) if trail.array(slot) is not None
    ]
    led = [slot for number, slot in floating if trail.handed(record, number)]
    return led if led and record.op in _SWITCHES else [slot for _, slot in floating]


def _arrives(trail: Trail, slot: int) -> bool:
    """Return whether a gradient arrives at a tensor, or at what it is the negative of."""
    while True:
        if arrived_at(trail.back, slot) & Arrived.SOMETHING:
            return True
        maker = trail.makers.get(slot)
        if maker is None or maker.op not in _MIRRORS:
            return False
        slot = maker.inputs[0]


def _can_cancel(trail: Trail, record: Record, number: int) -> bool:
    """Return whether more than one gradient comes back to a tensor; a list of tensors has one for
    each of them."""
    slot = record.inputs[number]
    handed = [
        place
        for reader in trail.readers[slot]
        for place, source in enumerate(reader.inputs)
        if source == slot and trail.handed(reader, place) & Arrived.SOMETHING
    ]
    return len(handed) > 1 and trail.back.run.tensors[slot].dtype != tf.variant


def _cancelled(trail: Trail, record: Record, number: int) -> Death:
    """Several ops hand back gradients that add up to nothing: name the op where their ways meet
    again."""
    slot = record.inputs[number]
    readers = [reader for reader in trail.readers[slot] if _hands_something(trail, reader, slot)]
    reached: dict[int, set[int]] = {}
    """By slot, the readers that it depends on."""
    for index, reader in enumerate(readers):
        for output in reader.outputs:
            reached.setdefault(output, set()).add(index)
    start = min(trail.back.run.records.index(reader) for reader in readers)
    for later in trail.back.run.records[start:]:
        joined = set().union(*(reached.get(source, ()) for source in later.inputs))
        if not joined:
            continue
        if (
            len(joined) == len(readers)
            and later.op
            and (len(readers) > 1 or later is not readers[0])
        ):
            return _meeting(trail, later)
        for output in later.outputs:
            reached.setdefault(output, set()).update(joined)
    return Death(record.keys[0], CANCELS)


def _meeting(trail: Trail, record: Record) -> Death:
    key = record.keys[0]
    # tf.nn.batch_normalization, which Keras 2 calls, opens a scope of its own beside that of the
    # moments.
    scope = key.name.rpartition("/")[0].removesuffix("/batchnorm")
    means = [
        mean
        for mean in trail.back.run.records
        if mean.op == "Mean" and mean.keys[0].copy == key.copy
    ]
    beside = [mean for mean in means if mean.keys[0].name.startswith(f"{scope}/")]
    if any(trail.size(mean.inputs[0]) == trail.size(mean.outputs[0]) for mean in beside):
        return Death(key, OVER_ONE, OVER_ONE_FIX)
    return Death(key, CANCELS)


def _hands_something(trail: Trail, reader: Record, slot: int) -> bool:
    return any(
        trail.handed(reader, number) & Arrived.SOMETHING
        for number, source in enumerate(reader.inputs)
        if source == slot
    )
