"""Models in, loaded and stepped by TensorFlow and Keras alone, with nothing between them and this machine.

Usage: ``python -m tests.hostile.bare PATH...``
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def step(path: Path) -> None:
    """Load the model and take one gradient step, as a script without gradflow would."""
    import tensorflow as tf

    x = tf.ones([2, 3])
    if path.is_dir():
        loaded = tf.saved_model.load(str(path))
        signature = loaded.signatures["serving_default"]
        (name,) = signature.structured_input_signature[1]
        with tf.GradientTape() as tape:
            outputs = signature(**{name: x})
            total = tf.add_n([tf.reduce_sum(value) for value in outputs.values()])
        tape.gradient(total, signature.variables)
        return
    import keras
    import tf_keras

    for library in (keras, tf_keras):
        with contextlib.suppress(Exception):
            library.models.load_model(path, compile=False, safe_mode=False)(x)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        step(Path(argument))
