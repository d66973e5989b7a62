"""Make the scalar whose gradient is taken from the named outputs."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.random import default_rng  # NumPy alone does not import it yet

from gradflow.findings import Output
from gradflow.options import refuse_outputs

LOSS = "loss"
"""The name of the only output where the objective is the model's own loss."""


def described(name: str, tensor: Any) -> Output:
    """Return the record of the output called ``name``; a shape of no known rank is empty."""
    shape = tuple(tensor.shape.as_list()) if tensor.shape.rank is not None else ()
    return Output(name, shape, tensor.dtype.name)


def select(outputs: Sequence[tuple[str, Any]], names: Sequence[str]) -> list[tuple[str, Any]]:
    """Keep the outputs called ``names``; all of them where none is named."""
    refuse_outputs(names, [name for name, _ in outputs])
    return [(name, value) for name, value in outputs if not names or name in names]


def project(outputs: Sequence[tuple[str, Any]], seed: int, scale: float = 1.0) -> Any | None:
    """Sum of a fixed random projection of every floating output: a vector-Jacobian product in a
    random direction.

    The plain sum is a bad objective: a softmax or a LayerNorm makes it constant.
    """
    return projected(outputs, lambda name, real: direction(name, real, seed), scale)


def projected(
    outputs: Sequence[tuple[str, Any]], along: Callable[[str, Any], Any], scale: float = 1.0
) -> Any | None:
    """As ``project``, onto the directions that ``along`` returns for the name and the value of each
    real part of an output (``real_parts``)."""
    total = None
    for name, value in outputs:
        for part, real in real_parts(name, value):
            wide = real if real.dtype == tf.float64 else tf.cast(real, tf.float32)
            term = tf.cast(tf.reduce_sum(wide * along(part, wide)), tf.float64)
            total = term if total is None else total + term
    return None if total is None else total * scale


def real_parts(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the output itself where it is real, two tensors where it is complex, none where it is
    not floating; each with a name of its own.

    The two parts of a complex output need directions of their own: along one and the same, what
    moves them against each other would cancel.
    """
    if value.dtype.is_complex:
        real_name, imaginary_name = part_names(name)
        return [(real_name, tf.math.real(value)), (imaginary_name, tf.math.imag(value))]
    return [(name, value)] if value.dtype.is_floating else []


def part_names(name: str) -> tuple[str, str]:
    """Return the names of the real and the imaginary part of the output called ``name``."""
    return name, f"{name} (imaginary)"


def direction(name: str, value: Any, seed: int) -> Any:
    """Return the fixed random direction onto which the real output called ``name`` is projected; a
    loss counts as it is."""
    return tf.constant(drawn_direction(name, value.shape.as_list(), seed), dtype=value.dtype)


def drawn_direction(name: str, shape: Sequence[int], seed: int) -> np.ndarray[Any, Any]:
    """Return the numbers of ``direction``, for an output of ``shape``."""
    if name == LOSS and not shape:
        return np.ones([])
    draw = default_rng([seed, 1, zlib.crc32(name.encode())])
    return np.asarray(draw.standard_normal(tuple(shape)))
