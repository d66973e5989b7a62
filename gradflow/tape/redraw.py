"""A subject in, the zero gradients out that are zero only because of weights that start at zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Measurement
from gradflow.findings import Verdict
from gradflow.options import Options
from gradflow.tape.step import step
from gradflow.tape.subject import Subject

_SCALE = 0.1


def awakened(subject: Subject, options: Options, measured: Mapping[str, Measurement]) -> frozenset[str]:
    """The variables whose gradient is zero in ``measured`` and not once weights that start at zero have moved.

    A weight that is all zeros and gets a gradient leaves zero with the first update (LoRA's B, a zero-initialized
    head, a gate): what it multiplied with zero comes alive then. Nothing else is drawn again: what is dead stays dead.
    """
    sleeping = [
        item.variable
        for item in subject.watched
        if item.stored.trainable
        and item.variable is not None
        and measured[item.stored.name].verdict is Verdict.FLOWS
        and not np.any(item.variable.numpy())
    ]
    if not sleeping:
        return frozenset()
    with _drawn_again(sleeping, options.seed):
        _, _, again = step(subject, options)
    return frozenset(
        name
        for name, before in measured.items()
        if before.verdict is Verdict.ZERO and again[name].verdict is Verdict.FLOWS
    )


@contextmanager
def _drawn_again(variables: Sequence[Any], seed: int) -> Iterator[None]:
    draw = np.random.default_rng(seed)
    before = [variable.read_value() for variable in variables]
    try:
        for variable in variables:
            variable.assign(tf.cast(_SCALE * draw.standard_normal(variable.shape.as_list()), variable.dtype))
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
