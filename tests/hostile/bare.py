"""Load and step models by TensorFlow and Keras alone, with nothing between them and this machine.

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
        for run in (stepped, run_in_a_session):
            with contextlib.suppress(Exception):
                run(path)
        return
    import keras
    import tf_keras

    sys.path.append(str(path.parent))  # as where Python is started beside the model
    for library in (keras, tf_keras):
        with contextlib.suppress(Exception):
            library.models.load_model(path, compile=False, safe_mode=False)(x)


def stepped(path: Path) -> None:
    """As TensorFlow 2 does it."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    with tf.GradientTape() as tape:
        outputs = signature(**{name: tf.ones([2, 3])})
        total = tf.add_n([tf.reduce_sum(value) for value in outputs.values()])
    tape.gradient(total, signature.variables)


def run_in_a_session(path: Path) -> None:
    """As TensorFlow 1 does it."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        signature = v1.saved_model.load(session, ["serve"], str(path)).signature_def[
            "serving_default"
        ]
        (given,) = signature.inputs.values()
        outputs = [
            one.name or one.coo_sparse.values_tensor_name for one in signature.outputs.values()
        ]
        session.run(outputs, {given.name: [[1.0, 1.0, 1.0]]})


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        step(Path(argument))
