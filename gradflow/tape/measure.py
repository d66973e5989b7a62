"""Reduce a gradient to its size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Measurement
from gradflow.findings import Gradient

_DIGITS = 4
"""Significant digits of a norm that are reported: TensorFlow's threads add in any order, so the
digits beyond differ from run to run."""
_STRETCH = 1 << 20
"""Entries of a gradient that are looked at together."""


def measure(gradient: Any) -> Measurement:
    """Reduce one gradient, dense or IndexedSlices, to its size."""
    if gradient is None:
        return Measurement(None, finite=True)
    rows = None
    size = 0
    if isinstance(gradient, tf.IndexedSlices):
        indices = shared_array(gradient.indices)
        rows = int(np.unique(indices).size)
        dense_shape = gradient.dense_shape
        values = shared_array(gradient.values)
        values = values.reshape(indices.size, values.size // max(indices.size, 1))
        size = int(np.prod(shared_array(dense_shape))) if dense_shape is not None else values.size
        values = _summed_rows(indices.reshape(-1), values)
    else:
        values = shared_array(gradient)
    values = np.asarray(values)
    return _sized(values, max(size, values.size), rows)


def shared_array(tensor: Any) -> np.ndarray[Any, Any]:
    """Return the numbers of an eager tensor (or array) where they are, not to be written to.

    NOTE: ``tensor.numpy()`` copies them (TensorFlow 2.21), a gradient of gigabytes too.
    """
    return np.asarray(tensor)


def largest_entry(measurement: Measurement) -> float:
    """Return the size of a gradient; 0 where there is none, or none that is finite."""
    return measurement.gradient.max_abs or 0.0 if measurement.gradient is not None else 0.0


def _summed_rows(
    indices: np.ndarray[Any, Any], values: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Rows that were looked up more than once add up, as an optimizer would add them."""
    distinct, inverse = np.unique(indices, return_inverse=True)
    wide = np.complex128 if np.iscomplexobj(values) else np.float64
    total = np.zeros((distinct.size, values.shape[1] if values.ndim > 1 else 1), dtype=wide)
    np.add.at(total, inverse.reshape(-1), values.astype(wide))
    return total


def _sized(values: np.ndarray[Any, Any], size: int, rows: int | None) -> Measurement:
    if values.dtype.kind not in "fc":
        values = values.astype(np.float32)  # bfloat16 comes as a NumPy extension type
    zeros = 1.0 - int(np.count_nonzero(values)) / size if size else 1.0
    parts = list(stretches(values))
    largest = float(np.max([np.max(np.abs(part)) for part in parts], initial=0.0))
    if not math.isfinite(largest):
        return Measurement(Gradient(None, None, _rounded(zeros), rows), finite=False)
    norm = (
        math.hypot(*(float(np.linalg.norm(part / largest)) for part in parts)) * largest
        if largest > 0.0
        else 0.0
    )
    norm = norm if math.isfinite(norm) else largest
    return Measurement(
        Gradient(_rounded(norm), _rounded(largest), _share(zeros), rows), finite=True
    )


def stretches(values: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the entries, some at a time: what is made of these is small beside a gradient of a
    gigabyte."""
    flat = values.reshape(-1)
    return (flat[start : start + _STRETCH] for start in range(0, flat.size, _STRETCH))


def _share(zeros: float) -> float:
    """Round a share of zeros; 1 stands only where every entry is zero, since that is a verdict."""
    rounded = _rounded(zeros)
    return rounded if rounded < 1.0 or zeros == 1.0 else 0.9999


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
