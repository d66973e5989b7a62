"""Find the zero gradients that another step shows alive: weights that start at zero, underflow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Measurement
from gradflow.findings import Verdict
from gradflow.options import Options
from gradflow.tape.loaded_model import SINGLE, CallableModel
from gradflow.tape.step import step

LOSS_SCALE = 2.0**15
"""What Keras's LossScaleOptimizer starts with."""
REDRAWN = 0.1
"""Standard deviation of weights that are drawn again."""


def awakened(
    model: CallableModel,
    options: Options,
    measured: Mapping[str, Measurement],
    factors: Collection[str],
) -> frozenset[str]:
    """Return the variables whose gradient is zero in ``measured`` and not once weights that start
    at zero have moved.

    A weight that is all zeros and gets a gradient leaves zero with the first update (LoRA's B, a
    zero-initialized head, a gate): what it multiplied with zero comes alive then. ``factors`` are
    weights of zeros that gradients were seen to be multiplied with; of two that are multiplied with
    each other neither gets any (LoRA as Keras 3.15 loads it). Nothing else is drawn again: what is
    dead stays dead.
    """
    sleeping = [
        item.variable
        for item in model.watched
        if item.stored.trainable
        and item.variable is not None
        and (measured[item.stored.name].verdict is Verdict.FLOWS or item.stored.name in factors)
        and not np.any(item.variable.numpy())
    ]
    if not sleeping:
        return frozenset()
    with _drawn_again(sleeping, options.seed):
        drawn = step(model, options)
    return alive(measured, drawn.measured)


def underflowing(
    model: CallableModel, options: Options, measured: Mapping[str, Measurement]
) -> frozenset[str]:
    """Return the variables whose gradient is zero in ``measured`` and not under a loss scale: too
    small for its type."""
    if model.epsilon <= SINGLE:
        return frozenset()
    return alive(measured, step(model, options, LOSS_SCALE).measured)


def alive(before: Mapping[str, Measurement], after: Mapping[str, Measurement]) -> frozenset[str]:
    """Return the variables whose gradient was zero ``before`` and flows ``after``."""
    return frozenset(
        name
        for name, measurement in before.items()
        if measurement.verdict is Verdict.ZERO and after[name].verdict is Verdict.FLOWS
    )


@contextmanager
def _drawn_again(variables: Sequence[Any], seed: int) -> Iterator[None]:
    draw = np.random.default_rng(seed)
    before = [variable.read_value() for variable in variables]
    try:
        for variable in variables:
            variable.assign(
                tf.cast(REDRAWN * draw.standard_normal(variable.shape.as_list()), variable.dtype)
            )
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
