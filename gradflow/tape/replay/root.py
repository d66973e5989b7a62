"""Find out why a unit is off: what makes zeros of all that comes in, and whether to mend it helps.

A ReLU behind a kernel of zeros, behind a normalization over a single value or behind a constant 0
is off whatever its slope is: what makes the zeros is to be mended. Each candidate is put to the
test: with other numbers in its place, what is between it and the unit is run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.flow.lower.layout import NodeKey
from gradflow.ops.families import FUSED_NORMALIZATIONS, PLAIN_READS, RESHAPES, SHIFTS
from gradflow.tape.replay.again import near, up_to
from gradflow.tape.replay.backward import handed_by
from gradflow.tape.replay.index import Trail, numbers
from gradflow.tape.replay.record import Record

OVER_ONE = (
    "ends a normalization over an axis of size 1: what comes out does not depend on what goes in"
)
OVER_ONE_FIX = (
    "let it normalize over more than one entry: over other axes, of a larger input or of a larger "
    "batch"
)
CONSTANT_FIX = "feed data, or a value that is trained, in place of the constant"
_PASSING = PLAIN_READS | RESHAPES | {"Cast", "Transpose", ""}
_NEAREST = 30
"""Ops before the end of a normalization among which its mean is looked for."""
_MOST = 200
"""Tensors before a unit that are looked at."""
_DRAWN = 0.1
"""Standard deviation of what a weight of zeros is given to see whether that helps."""


@dataclass(frozen=True, slots=True)
class Root:
    """What makes zeros."""

    key: NodeKey
    does: str
    """What it does to the unit."""
    reason: str
    """Why; empty where that is said already."""
    fix: str

    @property
    def words(self) -> str:
        """To follow the op's name in a sentence."""
        return f"{self.does}: {self.reason}" if self.reason else self.does


@dataclass(frozen=True, slots=True)
class _Candidate:
    root: Root
    slot: int
    instead: Any
    """What stands there once it is mended, up to chance."""


def root_of(trail: Trail, record: Record, inputs: Sequence[int] = ()) -> Root | None:
    """Return what makes the unit ``record`` be off, where to mend it makes it pass something.

    Args:
        trail: the step.
        record: the unit, which passes nothing.
        inputs: the numbers of its inputs that get only zeros; none where it is its output that is
            all zeros.
    """
    try:
        return _tested_root(trail, record, inputs)
    # An op that is run again with other tensors can raise anything; the unit itself is named then.
    except Exception:
        return None


def _tested_root(trail: Trail, record: Record, inputs: Sequence[int]) -> Root | None:
    # The others depend on no weight: a bound, a condition.
    led = [number for number in range(len(record.inputs)) if trail.handed(record, number)]
    for number in inputs or led:
        slot = record.inputs[number]
        if trail.array(slot) is None:
            continue
        candidates: list[_Candidate] = []
        for candidate in _candidates(trail, slot, record):
            if _helps(trail, [candidate], record, inputs):
                return candidate.root
            candidates.append(candidate)
        if len(candidates) > 1 and _helps(trail, candidates, record, inputs):
            return _joined(trail, candidates, record, inputs)
    return None


def _joined(
    trail: Trail, candidates: Sequence[_Candidate], unit: Record, inputs: Sequence[int]
) -> Root:
    """Return the fewest of ``candidates``, which help together, as one."""
    needed = list(candidates)
    for candidate in candidates:
        others = [other for other in needed if other is not candidate]
        if len(others) > 1 and _helps(trail, others, unit, inputs):
            needed = others
    roots = [candidate.root for candidate in needed]
    reasons = [root.reason or root.does for root in roots]
    fixes = dict.fromkeys(root.fix for root in roots)
    return Root(roots[0].key, _zeros_for(unit), ", and ".join(reasons), "; ".join(fixes))


def ends_over_one(trail: Trail, record: Record) -> bool:
    """Return whether an op ends a normalization whose mean is over one value each, so that what
    comes out does not depend on what goes in."""
    if is_fused_over_one(trail, record):
        return True
    output = record.outputs[0] if record.outputs else -1
    if record.op not in SHIFTS or trail.array(output) is None:
        return False
    try:
        return _takes_out(trail, record, output)
    except Exception:  # as above
        return False


def _takes_out(trail: Trail, record: Record, output: int) -> bool:
    """Return whether a mean over one value near ``record`` takes out all that it is the mean of."""
    for mean in near(trail, record.inputs, _NEAREST):
        if mean.op != "Mean" or not _is_over_one(trail, mean):
            continue
        source = mean.inputs[0]
        drawn = up_to(trail, record, {source: _random(trail, source)})
        # What comes in depends on it still; further on nothing does.
        if not _is_moved(trail, output, drawn) and any(
            _is_moved(trail, slot, drawn) for slot in record.inputs
        ):
            return True
    return False


def _is_moved(trail: Trail, slot: int, drawn: Mapping[int, Any]) -> bool:
    """Return whether a tensor is another one among those that were run again."""
    before = trail.array(slot)
    if slot not in drawn or before is None:
        return False
    return not np.allclose(numbers(drawn[slot]), before, rtol=1e-3, atol=1e-3)


def is_fused_over_one(trail: Trail, record: Record) -> bool:
    """Return whether an op is a fused normalization by the batch, of one value each, as Keras 2
    makes it."""
    is_training = dict(zip(record.attrs[::2], record.attrs[1::2], strict=True)).get("is_training")
    if not record.op.startswith("FusedBatchNorm") or not is_training:
        return False
    return trail.size(record.inputs[0]) == trail.size(record.inputs[1])


def _candidates(trail: Trail, slot: int, unit: Record) -> Iterator[_Candidate]:
    """Yield what could make zeros, or what does not depend on the data, before ``slot``; the
    nearest first."""
    waiting = [(slot, unit)]
    seen = {slot}
    for current, consumer in waiting:
        maker = trail.makers.get(current)
        is_zero = trail.is_zero(current)
        if maker is None:
            if is_zero and current in trail.back.run.constants:
                yield _constant(trail, current, consumer, unit)
            continue
        weight = trail.weight_read_by(maker)
        if weight is not None:
            if is_zero and not _is_added(consumer, current):
                yield _weight(trail, current, weight, consumer, unit)
            continue
        if ends_over_one(trail, maker):
            instead = trail.back.run.tensors[current] + _random(trail, current)
            root = Root(maker.keys[0], OVER_ONE, "", OVER_ONE_FIX)
            yield _Candidate(root, current, instead)
        sources = [
            source
            for source in maker.inputs
            if trail.array(source) is not None and source not in seen
        ]
        holder = consumer if maker.op in _PASSING else maker
        if maker.op not in _PASSING:
            sources = [source for source in sources if trail.is_zero(source)]
        if len(seen) < _MOST:
            seen.update(sources)
            waiting += [(source, holder) for source in sources]


def _helps(
    trail: Trail, candidates: Sequence[_Candidate], unit: Record, inputs: Sequence[int]
) -> bool:
    """Return whether the unit passes something once the candidates are mended."""
    mended = {candidate.slot: candidate.instead for candidate in candidates}
    drawn = up_to(trail, unit, mended)
    if not inputs:
        return any(np.any(numbers(drawn[slot])) for slot in unit.outputs if slot in drawn)
    arrived = [trail.back.gradients.get(slot) for slot in unit.outputs]
    handed = handed_by(trail.back.run, unit, arrived, drawn)
    return any(
        handed[number] is not None and bool(np.any(numbers(handed[number]))) for number in inputs
    )


def _weight(trail: Trail, slot: int, weight: str, consumer: Record, unit: Record) -> _Candidate:
    root = Root(
        consumer.keys[0],
        _zeros_for(unit),
        f"the weight {weight!r} is all zeros",
        f"give {weight!r} random values",
    )
    return _Candidate(root, slot, _DRAWN * _random(trail, slot))


def _constant(trail: Trail, slot: int, consumer: Record, unit: Record) -> _Candidate:
    name = trail.back.run.constants[slot].name
    root = Root(
        consumer.keys[0],
        _zeros_for(unit),
        f"its input {name!r} is a constant 0",
        CONSTANT_FIX,
    )
    return _Candidate(root, slot, _random(trail, slot))


def _is_added(record: Record, slot: int) -> bool:
    """Return whether a weight is only added to something: that it is zero makes no zeros."""
    is_offset = record.op in FUSED_NORMALIZATIONS and slot == record.inputs[2]
    return is_offset or record.op in SHIFTS


def _zeros_for(unit: Record) -> str:
    return f"gives only zeros to {unit.op} {unit.keys[0].name!r}, which then passes no gradient"


def _is_over_one(trail: Trail, mean: Record) -> bool:
    return trail.size(mean.inputs[0]) == trail.size(mean.outputs[0]) > 0


def _random(trail: Trail, slot: int) -> Any:
    tensor = trail.back.run.tensors[slot]
    drawn = np.random.default_rng(0).standard_normal(tensor.shape.as_list())
    return tf.cast(tf.constant(drawn), tensor.dtype)
