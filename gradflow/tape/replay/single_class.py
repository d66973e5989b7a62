"""Find the weights that reach the objective through nothing but a softmax over a single class.

That is constant, so that their gradient is mathematically zero. The kernels of TensorFlow for more
than a few rows divide by an approximate reciprocal, and hand on rounding noise (2.21, CPU).
"""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.diagnose import SINGLE_CLASS
from gradflow.tape.replay.index import Trail
from gradflow.tape.replay.record import Record

_SOFTMAX = (
    "Softmax",
    "LogSoftmax",
    "SoftmaxCrossEntropyWithLogits",
    "SparseSoftmaxCrossEntropyWithLogits",
)


def is_single_class(trail: Trail, record: Record) -> bool:
    """Return whether an op is a softmax over one class."""
    if record.op not in _SOFTMAX:
        return False
    array = trail.array(record.inputs[0])
    return array is not None and tuple(array.shape[-1:]) == (1,)


def behind_single_class(trail: Trail, names: Iterable[str]) -> dict[str, str]:
    """Return those of ``names`` of which every way to an output leads through such a softmax, each
    with ``SINGLE_CLASS``."""
    if not any(is_single_class(trail, record) for record in trail.back.run.records):
        return {}
    return {
        name: SINGLE_CLASS
        for name in names
        if name in trail.handles and _is_held(trail, trail.handles[name])
    }


def _is_held(trail: Trail, handle: int) -> bool:
    outputs, is_stopped = set(trail.back.run.outputs), False
    slots = [handle]
    reached = {handle}
    for slot in slots:
        if slot in outputs:
            return False
        for record in trail.readers.get(slot, ()):
            if is_single_class(trail, record):
                is_stopped = True
                continue
            fresh = [output for output in record.outputs if output not in reached]
            reached.update(fresh)
            slots += fresh
    return is_stopped
