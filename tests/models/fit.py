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


def moved_by_fit(
    model: keras.Model, x: Any, y: Any, rows: int, sample_weight: Any = None
) -> dict[str, bool]:
    """Whether one step of SGD changes each trainable weight, by its path; the model is used up.

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
    return {
        variable.path: not np.array_equal(value, variable.numpy(), equal_nan=True)
        for variable, value in zip(model.trainable_weights, before, strict=True)
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
