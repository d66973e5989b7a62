"""Find out which weights one step of ``fit`` really changes: the oracle of ``--objective auto``.

It uses nothing of gradflow. Regularizers of weights are taken off first: what they alone move
learns nothing of the data.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tests.models.oracle import make_batch, specs_of

_RATE = 2.0**20
"""So large that even a tiny gradient changes a weight by more than its last bit."""
_NOISE = 1e-6
"""Gradients up to this size, beside 1 and beside the largest, may be a sum that cancels."""


def moved_by_fit(
    model: keras.Model, x: Any, y: Any, rows: int, sample_weight: Any = None
) -> dict[str, bool | None]:
    """Whether one step of SGD changes each trainable weight, by its path: None where it changes by
    no more than rounding noise, so that nobody can tell. The model is used up.

    Args:
        model: compiled.
        x: the inputs, of ``rows`` rows.
        y: the targets; None where only layers add losses.
        rows: of the only batch.
        sample_weight: as ``fit`` takes it.
    """
    for variable in model.trainable_weights:
        variable.regularizer = None
    model.optimizer = keras.optimizers.SGD(_RATE)
    model.optimizer.build(model.trainable_variables)
    before = [variable.numpy() for variable in model.trainable_weights]
    try:
        model.fit(
            x,
            y,
            batch_size=rows,
            sample_weight=sample_weight,
            epochs=1,
            shuffle=False,
            verbose=0,
        )
    except ValueError as error:
        if "No gradients provided for any variable" not in str(error):
            raise
    changes = {
        variable.path: np.max(np.abs(variable.numpy() - value), initial=0.0) / _RATE
        for variable, value in zip(model.trainable_weights, before, strict=True)
    }
    largest = max((change for change in changes.values() if np.isfinite(change)), default=0.0)
    return {
        path: None if 0.0 < change < _NOISE * max(largest, 1.0) else bool(change != 0.0)
        for path, change in changes.items()
    }


def normal_data(model: keras.Model, seed: int = 0) -> tuple[Any, Any]:
    """A batch for ``model`` and normal numbers as its targets; no targets where an output is not of
    floats."""
    batch = list(make_batch(specs_of(model), seed).values())
    x: Any = batch if len(batch) > 1 else batch[0]
    outputs = model(x)
    draw = np.random.default_rng(seed)
    if not all(output.dtype.is_floating for output in keras.tree.flatten(outputs)):
        return x, None
    targets = keras.tree.map_structure(
        lambda output: draw.normal(size=output.shape).astype("float32"), outputs
    )
    return x, targets
