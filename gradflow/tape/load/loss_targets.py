"""Draw synthetic targets that a loss accepts for the output that it judges."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.tape.load.keras_layers import is_of_keras


class Target(Enum):
    """What a loss compares an output with."""

    IDS = "class ids"
    ONE_HOT = "one-hot rows"
    BITS = "zeros and ones"
    POSITIVE = "positive numbers"
    NORMAL = "normal numbers"
    SHARES = "numbers from 0 to 1"
    """For losses of the user's own, which may take a logarithm of them."""
    SEQUENCES = "label sequences"


_TARGETS = {
    "sparse_categorical_crossentropy": Target.IDS,
    "categorical_generalized_cross_entropy": Target.IDS,
    "circle": Target.IDS,
    "categorical_crossentropy": Target.ONE_HOT,
    "categorical_focal_crossentropy": Target.ONE_HOT,
    "categorical_hinge": Target.ONE_HOT,
    "kl_divergence": Target.ONE_HOT,
    "kullback_leibler_divergence": Target.ONE_HOT,
    "kld": Target.ONE_HOT,
    "binary_crossentropy": Target.BITS,
    "bce": Target.BITS,
    "binary_focal_crossentropy": Target.BITS,
    "dice": Target.BITS,
    "tversky": Target.BITS,
    "hinge": Target.BITS,
    "squared_hinge": Target.BITS,
    "poisson": Target.POSITIVE,
    "mean_squared_logarithmic_error": Target.POSITIVE,
    "msle": Target.POSITIVE,
    "mean_absolute_percentage_error": Target.POSITIVE,
    "mape": Target.POSITIVE,
    "mean_squared_error": Target.NORMAL,
    "mse": Target.NORMAL,
    "mean_absolute_error": Target.NORMAL,
    "mae": Target.NORMAL,
    "huber": Target.NORMAL,
    "huber_loss": Target.NORMAL,
    "log_cosh": Target.NORMAL,
    "logcosh": Target.NORMAL,
    "cosine_similarity": Target.NORMAL,
    "ctc": Target.SEQUENCES,
}
"""By the name of the function or class, in snake case (Keras 3.15, tf_keras 2.21:
losses/losses.py)."""


def target_of(loss: Any) -> Target | None:
    """Return what ``loss``, as given to ``compile``, compares with; None for one of the user's
    own."""
    if isinstance(loss, str):
        return _target(loss)
    if not isinstance(loss, type) and hasattr(loss, "fn"):
        return target_of(loss.fn)  # a function that Keras has wrapped
    names = [kind.__name__ for kind in type(loss).__mro__ if is_of_keras(kind)]
    if callable(loss) and hasattr(loss, "__name__"):
        names = [loss.__name__] if is_of_keras(loss) else []
    return next((target for target in map(_target, names) if target is not None), None)


def draw(target: Target, output: Any, loss: Any, seed: int, number: int) -> Any:
    """Targets for ``output``, whose shape is known; ``number``: which of the outputs it is."""
    random = np.random.default_rng([seed, 2, number])
    shape = [int(size) for size in output.shape]
    classes = shape[_axis(loss, len(shape))] if shape else 1
    if target is Target.IDS:
        axis = _axis(loss, len(shape)) % max(1, len(shape))
        return tf.constant(
            random.integers(0, max(1, classes), size=shape[:axis] + shape[axis + 1 :]), tf.int32
        )
    if target is Target.ONE_HOT:
        ids = random.integers(0, max(1, classes), size=shape[:-1])
        return tf.one_hot(ids, shape[-1] if shape else 1)
    if target is Target.SEQUENCES:
        length = max(1, shape[1] // 2) if len(shape) > 1 else 1
        return tf.constant(random.integers(1, max(2, classes), size=[shape[0], length]), tf.int32)
    if target is Target.BITS:
        bits = random.integers(0, 2, size=shape)
        if bits.size > 1 and len(np.unique(bits)) == 1:
            bits.flat[0] = 1 - bits.flat[0]  # where all are zeros, Dice has no gradient
        return tf.constant(bits, tf.float32)
    if target is Target.SHARES:
        return tf.constant(random.uniform(size=shape), tf.float32)
    values = random.normal(size=shape)
    return tf.constant(np.abs(values) + 0.1 if target is Target.POSITIVE else values, tf.float32)


def _target(name: str) -> Target | None:
    if name.lower() in ("crossentropy", "ce"):
        return Target.ONE_HOT
    snake = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
    return _TARGETS.get(name.lower(), _TARGETS.get(snake))


def _axis(loss: Any, rank: int) -> int:
    """Return the axis of the classes."""
    kwargs = getattr(loss, "_fn_kwargs", None) or {}
    axis = getattr(loss, "axis", kwargs.get("axis", -1))
    return axis if isinstance(axis, int) and -rank <= axis < rank else -1
