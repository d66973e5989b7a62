"""Ask the bare tape about every variable of a model of Keras 2 (tf_keras) or its file."""

from __future__ import annotations

import functools
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras

from tests.models.oracle import Batch, InputSpec, Measured, make_batch, step


def load_keras2(path: Path) -> Any:
    """Load a Keras file by its content; one with a Lambda is nobody's to load."""
    if b'"Lambda"' in path.read_bytes():
        raise ValueError("it holds a Lambda")
    tf_keras.backend.clear_session()
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "model.keras" if zipfile.is_zipfile(path) else "model.h5")
        link.symlink_to(path.absolute())
        return tf_keras.models.load_model(link, compile=False)


def measure_keras2(
    model: Any,
    specs: Sequence[InputSpec] | None = None,
    seed: int = 0,
    training: bool = True,
    given: Batch | None = None,
) -> dict[str, list[Measured]]:
    """Measure a tf_keras model in memory, by variable name; equal names stand in one list."""
    specs = specs or [
        InputSpec(one.name, tuple(one.shape), one.dtype.name, 5) for one in model.inputs
    ]
    batch = list((make_batch(specs, seed) if given is None else given).values())
    packed = tf.nest.pack_sequence_as(model._nested_inputs, batch)
    variables = [
        (one.name.removesuffix(":0"), getattr(one, "_variable", one)) for one in model.weights
    ]
    return step(functools.partial(model, packed, training=training), variables, seed)


def trainable_names(model: Any) -> set[str]:
    """What an optimizer would update."""
    return {variable.name.removesuffix(":0") for variable in model.trainable_weights}
