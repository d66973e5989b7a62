"""A subject and a batch in, one measurement a variable out: one GradientTape step with every
variable watched."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Measurement
from gradflow.errors import GradflowError, is_lack_of_memory
from gradflow.findings import Gradient, Output
from gradflow.options import Options
from gradflow.tape.gradient_registry import without_lookup_errors
from gradflow.tape.inputs.search import Batch, with_batch
from gradflow.tape.load.error_messages import BackwardError
from gradflow.tape.load.untracked import with_untracked
from gradflow.tape.loaded_model import Subject
from gradflow.tape.objective import project, select

_DIGITS = 4
"""Kept of norms: TensorFlow's threads add in any order, so the digits beyond differ from run to
run."""
_STRETCH = 1 << 20
"""Entries of a gradient that are looked at together."""


def step(
    subject: Subject, options: Options, scale: float = 1.0
) -> tuple[Subject, Batch, tuple[Output, ...], dict[str, Measurement]]:
    """Run the forward pass, the random-projection objective times ``scale`` and the backward pass.

    Returned is the subject with the variables that the forward pass read and no layer tracks.

    Raises:
        InputError: no synthetic batch is accepted.
        UsageError: a selected output or a given input does not exist.
    """

    def run(batch: Batch) -> tuple[Subject, tuple[Output, ...], list[Any]]:
        def once() -> tuple[Subject, tuple[Output, ...], list[Any]]:
            with tf.GradientTape() as tape:
                for variable in _live(subject):
                    tape.watch(variable)
                outputs = select(subject.call(batch.tensors), options.outputs)
                objective = project(outputs, options.seed, scale)
            described = tuple(
                Output(name, _static_shape(value), value.dtype.name) for name, value in outputs
            )
            found = with_untracked(subject, tape.watched_variables())
            variables = _live(found)
            if objective is None:
                return found, described, [None] * len(variables)
            return found, described, tape.gradient(objective, variables)

        try:
            return without_lookup_errors(once, subject.lost_gradients)
        except GradflowError:
            raise
        except Exception as error:  # a model's code can raise anything at all
            if not is_lack_of_memory(error) and _runs(subject, batch):
                raise BackwardError(str(error)) from error
            raise

    batch, (found, outputs, gradients) = with_batch(
        subject.inputs,
        options,
        subject.id_limit,
        run,
        subject.learn,
        is_cheap=subject.knows_graph,
        composites=subject.composites,
    )
    watched = [item for item in found.watched if item.variable is not None]
    measured = {
        item.stored.name: measure(value) for item, value in zip(watched, gradients, strict=True)
    }
    return found, batch, outputs, measured


def _live(subject: Subject) -> list[Any]:
    return [item.variable for item in subject.watched if item.variable is not None]


def _runs(subject: Subject, batch: Batch) -> bool:
    """Whether the model takes a batch when nothing is differentiated: a loaded function is built
    with its gradient."""
    try:
        subject.call(batch.tensors)
    except Exception:  # a model's code can raise anything at all
        return False
    return True


def measure(gradient: Any) -> Measurement:
    """Reduce one gradient, dense or IndexedSlices, to its size."""
    if gradient is None:
        return Measurement(None, finite=True)
    rows = None
    size = 0
    if isinstance(gradient, tf.IndexedSlices):
        indices = gradient.indices.numpy()
        rows = int(np.unique(indices).size)
        dense_shape = gradient.dense_shape
        values = gradient.values.numpy()
        values = values.reshape(indices.size, values.size // max(indices.size, 1))
        size = int(np.prod(dense_shape.numpy())) if dense_shape is not None else values.size
        values = _summed_rows(indices.reshape(-1), values)
    else:
        values = gradient.numpy()
    values = np.asarray(values)
    return _sized(values, max(size, values.size), rows)


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
    parts = list(_parts(values))
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


def _parts(values: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """The entries in stretches: what is made of one is small beside a gradient of a gigabyte."""
    flat = values.reshape(-1)
    return (flat[start : start + _STRETCH] for start in range(0, flat.size, _STRETCH))


def _share(zeros: float) -> float:
    """Rounded, but 1 only where every entry is zero: that is a verdict."""
    rounded = _rounded(zeros)
    return rounded if rounded < 1.0 or zeros == 1.0 else 0.9999


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _static_shape(value: Any) -> tuple[int | None, ...]:
    return tuple(value.shape.as_list()) if value.shape.rank is not None else ()
