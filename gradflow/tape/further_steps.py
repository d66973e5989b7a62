"""Find the zero gradients that another step shows alive: weights that start at zero, underflow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Measurement
from gradflow.errors import GradflowError
from gradflow.findings import Verdict
from gradflow.tape.loaded_model import SINGLE, Step, Watched
from gradflow.tape.measure import largest_entry
from gradflow.tape.replay.index import numbers

LOSS_SCALE = 2.0**15
"""What Keras's LossScaleOptimizer starts with."""
_UPDATE = 0.01
"""How far an update moves the entry of a weight that it moves most, beside the weight's largest
entry; beside 1 where the weight is zero."""

_DRAWN = 0.1
"""Standard deviation of what a weight of zeros is given to see whether that helps."""


class Take(Protocol):
    """Takes the step that is looked into, with the weights as they are at the moment."""

    def __call__(self, scale: float = 1.0, *, keeps_gradients: bool = False) -> Step:
        """Take it with the objective times ``scale``; see ``tape.step.step``."""


def lifted(
    take: Take, measured: Mapping[str, Measurement]
) -> tuple[frozenset[str], Mapping[str, Measurement]]:
    """Return the variables whose gradient is zero in ``measured`` and not once training has begun,
    and the measurements of those that got one before that: another draw of what is random.

    Each trainable weight that gets a gradient is moved along it, as an optimizer would, and the
    step is taken again; as long as that brings a gradient to further weights, it is repeated. So
    what was multiplied with a weight of zeros comes alive (LoRA's A, the layers under a
    zero-initialized head), and of two weights of zeros that are multiplied with each other neither
    does. The weights have their values again afterwards.
    """
    zero = _zero(measured)
    with _restored() as before:
        taken = take(keeps_gradients=True)
        drawn = {name: taken.measured[name] for name in zero & _arriving(taken)}
        reached = _reached(take, taken, zero, before)
    return frozenset(zero & reached - drawn.keys()), drawn


def lifted_with(
    take: Take, watched: Iterable[Watched], measured: Mapping[str, Measurement], weight: str
) -> frozenset[str]:
    """Return the variables whose gradient is zero in ``measured`` and would not stay so if the
    weight of zeros ``weight`` had random values."""
    zero = _zero(measured)
    with _restored() as before:
        for item in watched:
            if item.stored.name == weight and item.variable is not None:
                before[id(item.variable)] = item.variable, item.variable.read_value()
                drawn = np.random.default_rng(0).normal(size=item.variable.shape)
                item.variable.assign(tf.cast(_DRAWN * drawn, item.variable.dtype))
        try:
            taken = take(keeps_gradients=True)
        except GradflowError:  # as below
            return frozenset()
        return frozenset(zero & _reached(take, taken, zero, before))


def _zero(measured: Mapping[str, Measurement]) -> set[str]:
    return {name for name, item in measured.items() if item.verdict is Verdict.ZERO}


def _reached(
    take: Take, taken: Step, zero: set[str], before: dict[int, tuple[Any, Any]]
) -> set[str]:
    """Update after ``taken`` as long as that brings a gradient to more of ``zero``; return what got
    one."""
    reached = _arriving(taken)
    while zero - reached:
        _update(taken, before)
        try:
            taken = take(keeps_gradients=True)
        except GradflowError:  # the model refuses what the update has made of its weights
            break
        grown = reached | _arriving(taken)
        if grown == reached:
            break
        reached = grown
    return reached


def underflowing(take: Take, measured: Mapping[str, Measurement], epsilon: float) -> frozenset[str]:
    """Return the variables whose gradient is zero in ``measured`` and not under a loss scale: too
    small for its type; ``epsilon``: of the coarsest type that is computed in."""
    if epsilon <= SINGLE:
        return frozenset()
    return alive(measured, take(LOSS_SCALE).measured)


def alive(before: Mapping[str, Measurement], after: Mapping[str, Measurement]) -> frozenset[str]:
    """Return the variables whose gradient was zero ``before`` and flows ``after``."""
    return frozenset(
        name
        for name, measurement in before.items()
        if measurement.verdict is Verdict.ZERO and after[name].verdict is Verdict.FLOWS
    )


def _flowing(taken: Step) -> set[str]:
    return {name for name, item in taken.measured.items() if item.verdict is Verdict.FLOWS}


def _arriving(taken: Step) -> set[str]:
    """Return what gets a gradient, be it one that an update has made NaN."""
    return {
        name
        for name, item in taken.measured.items()
        if item.verdict in (Verdict.FLOWS, Verdict.NONFINITE)
    }


@contextmanager
def _restored() -> Iterator[dict[int, tuple[Any, Any]]]:
    """Give back to each variable that is noted the value that is noted with it."""
    before: dict[int, tuple[Any, Any]] = {}
    try:
        yield before
    finally:
        for variable, value in before.values():
            variable.assign(value)


def _update(taken: Step, before: dict[int, tuple[Any, Any]]) -> None:
    """Move each trainable weight against its gradient; note in ``before`` what it was."""
    flowing = _flowing(taken)
    for item in taken.watched:
        name, variable = item.stored.name, item.variable
        if variable is None or not item.stored.trainable or name not in flowing:
            continue
        before.setdefault(id(variable), (variable, variable.read_value()))
        size = float(np.max(np.abs(numbers(variable)), initial=0.0)) or 1.0
        scale = _UPDATE * size / largest_entry(taken.measured[name])
        _move(variable, taken.gradients[name], scale)


def _move(variable: Any, gradient: Any, scale: float) -> None:
    if isinstance(gradient, tf.IndexedSlices):
        variable.scatter_sub(tf.IndexedSlices(_scaled(gradient.values, scale), gradient.indices))
    else:
        variable.assign_sub(_scaled(gradient, scale))


def _scaled(values: Any, scale: float) -> Any:
    return values * tf.cast(scale, values.dtype)
