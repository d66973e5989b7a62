"""Tell whether the tiny gradient of a bias is a mathematical zero, and what cancels it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.ops.families import FUSED_NORMALIZATIONS, PLAIN_READS, RESHAPES, SHIFTS
from gradflow.tape.replay.index import Trail, numbers
from gradflow.tape.replay.record import Record

BATCH_NORMALIZATION = "the BatchNormalization behind it"
NORMALIZATION = "the normalization behind it"
_NOISE = 8.0
"""Rounding noise beside the terms of a sum, in units of epsilon."""
_MIN_RATIO = 1e-4
"""Random terms add up to more than this; noise in single precision to less."""
_READS = PLAIN_READS | RESHAPES | {"Cast", ""}
_REMOVERS = {
    **dict.fromkeys(FUSED_NORMALIZATIONS, BATCH_NORMALIZATION),
    "Softmax": "the softmax behind it",
    "LogSoftmax": "the softmax behind it",
    "Rsqrt": NORMALIZATION,
}


def cancelled(trail: Trail, names: Iterable[str], epsilon: float) -> Mapping[str, str]:
    """Return those of ``names`` that are only added to something, where all cancels in the sum, and
    what makes it cancel.

    A bias gets the sum over what its addition gets. Where that sum is rounding noise beside its own
    terms, it is
    mathematically zero: what follows does not change under a shift. The bias of a shared layer is
    added several times:
    in the difference of two encodings of a siamese network it cancels with itself.
    """
    removers: dict[str, str] = {}
    for name in names:
        additions = list(_uses(trail, trail.handles[name])) if name in trail.handles else []
        if additions and (
            all(_cancels(trail, record, slot, epsilon) for record, slot in additions)
            or _cancel_together(trail, name, additions, epsilon)
        ):
            removers[name] = _remover(trail, additions[0][0])
    return removers


def _uses(trail: Trail, handle: int) -> Iterator[tuple[Record, int]]:
    """Yield the ops that use a variable's value, behind those that only read or reshape it."""
    slots = [handle]
    for slot in slots:
        for record in trail.readers.get(slot, ()):
            if record.op in _READS or (record.op in SHIFTS and _keeps_shape(trail, record, slot)):
                slots += record.outputs
            else:
                yield record, slot


def _keeps_shape(trail: Trail, record: Record, slot: int) -> bool:
    """Return whether an addition repeats nothing, so that its own gradient is the sum that was
    taken further on."""
    tensors = trail.back.run.tensors
    return bool(tensors[slot].shape == tensors[record.outputs[0]].shape)


def _cancels(trail: Trail, record: Record, slot: int, epsilon: float) -> bool:
    terms, total = _terms(trail, record, slot), trail.back.gradients.get(slot)
    return terms is not None and total is not None and _is_noise(total, terms, epsilon)


def _cancel_together(
    trail: Trail, name: str, additions: Sequence[tuple[Record, int]], epsilon: float
) -> bool:
    """Return whether what several additions hand to it cancels; one that takes it away from itself
    does nothing with it."""
    if len({id(record) for record, _ in additions}) < len(additions):
        return False
    terms = [_terms(trail, record, slot) for record, slot in additions]
    sums = [sum_of_terms for sum_of_terms in terms if sum_of_terms is not None]
    total = trail.gradient_of(name)
    return (
        total is not None and len(sums) == len(terms) > 1 and _is_noise(total, sum(sums), epsilon)
    )


def _terms(trail: Trail, record: Record, slot: int) -> float | None:
    """Return how much the terms of the sum are together that an addition hands to ``slot``, without
    their signs."""
    terms, total = (
        trail.back.gradients.get(tensor_slot) for tensor_slot in (record.outputs[0], slot)
    )
    is_addition = record.op in SHIFTS or (
        record.op in FUSED_NORMALIZATIONS and slot == record.inputs[2]
    )
    if not is_addition or terms is None or total is None:
        return None
    return _magnitude(numbers(terms), total.shape)


def is_noise_of_terms(terms: np.ndarray[Any, Any], shape: Sequence[int], epsilon: float) -> bool:
    """Return whether the sum of ``terms`` over what broadcasting repeats of ``shape`` is rounding
    noise beside them."""
    total = np.sum(terms.astype(np.complex128), axis=_summed(terms.shape, shape))
    return total.size == np.prod(shape) and _is_noise(total, _magnitude(terms, shape), epsilon)


def _magnitude(terms: np.ndarray[Any, Any], shape: Sequence[int]) -> float:
    """Return the largest of the sums of sizes over what broadcasting repeats of ``shape``."""
    axes = _summed(terms.shape, shape)
    return float(np.max(np.sum(np.abs(terms.astype(np.complex128)), axis=axes), initial=0.0))


def _is_noise(total: Any, terms: float, epsilon: float) -> bool:
    sums = np.max(np.abs(numbers(tf.convert_to_tensor(total)).astype(np.complex128)), initial=0.0)
    return bool(terms > 0.0 and sums <= max(_MIN_RATIO, _NOISE * epsilon) * terms)


def _summed(terms: Any, total: Any) -> tuple[int, ...]:
    """Return the axes over which broadcasting repeats the smaller shape."""
    offset = len(terms) - len(total)
    return tuple(axis for axis in range(len(terms)) if axis < offset or total[axis - offset] == 1)


def _remover(trail: Trail, addition: Record) -> str:
    """Return what takes the shift out: the first normalization or softmax behind the addition."""
    slots = list(addition.outputs)
    reached = set(slots)
    for slot in slots:
        for record in trail.readers.get(slot, ()):
            if record.op in _REMOVERS:
                return _REMOVERS[record.op]
            fresh = [output for output in record.outputs if output not in reached]
            reached.update(fresh)
            slots += fresh
    return "what follows"
