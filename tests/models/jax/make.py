"""Write the exports of JAX beside this file; run by hand, in an environment that has jax.

After ``pip install jax tensorflow-cpu keras``, ``python tests/models/jax/make.py`` wrote
``native``, ``without_gradient``, ``frozen`` and ``of_keras`` with jax 0.10.2 and TensorFlow 2.21;
``python tests/models/jax/make.py graph`` wrote ``graph`` with jax 0.4.30 and TensorFlow 2.18, which
still writes each operation as an op of TensorFlow. ``../../scan/data/jax_0_4_30.mlirbc`` is what
``jax.experimental.export`` of the latter makes of ``jnp.linalg.cholesky``. The folders of the
machine that JAX writes into a program were replaced by others of the same length.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def call(weights: Any, x: Any) -> Any:
    import jax
    import jax.numpy as jnp

    hidden = jnp.tanh(x @ weights["alive"] + weights["bias"])
    return jnp.sort(jax.lax.stop_gradient(hidden @ weights["stopped"]) + hidden @ weights["head"])


def export(name: str, *, trainable: bool = True, **options: Any) -> None:
    import numpy as np
    import tensorflow as tf
    from jax.experimental import jax2tf

    random = np.random.default_rng(0)
    shapes = {"alive": (4, 5), "bias": (5,), "stopped": (5, 3), "head": (5, 3)}
    module = tf.Module()
    module.weights = {
        key: tf.Variable(random.normal(size=shape).astype("float32"), trainable, name=key)
        for key, shape in shapes.items()
    }
    converted = jax2tf.convert(call, **options)
    is_native = options.get("native_serialization", True)
    module.call = tf.function(
        lambda x: converted(module.weights, x),
        autograph=False,
        jit_compile=not is_native,
        input_signature=[tf.TensorSpec([None if is_native else 4, 4], tf.float32)],
    )
    saving = tf.saved_model.SaveOptions(experimental_custom_gradients=options["with_gradient"])
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, options=saving)
        packed(Path(folder), name)


def export_keras() -> None:
    import keras

    x = keras.Input((6,))
    frozen = keras.layers.Dense(4, activation="relu", name="frozen")(x)
    normed = keras.layers.BatchNormalization(name="norm")(frozen)
    model = keras.Model(x, keras.layers.Dense(2, name="head")(normed))
    model.get_layer("frozen").trainable = False
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        packed(Path(folder), "of_keras")


def packed(folder: Path, name: str) -> None:
    with zipfile.ZipFile(HERE / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != "fingerprint.pb" and "debug" not in path.parts:
                archive.write(path, path.relative_to(folder))


if __name__ == "__main__":
    os.environ.update(KERAS_BACKEND="jax", TF_CPP_MIN_LOG_LEVEL="3")
    if sys.argv[1:] == ["graph"]:
        export("graph", with_gradient=True, native_serialization=False)
    else:
        any_batch = {"polymorphic_shapes": [None, "(b, _)"]}
        export("native", with_gradient=True, **any_batch)
        export("without_gradient", with_gradient=False, **any_batch)
        export("frozen", trainable=False, with_gradient=False, **any_batch)
        export_keras()
