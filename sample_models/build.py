"""Builds the sample models of this folder from fixed seeds, each as ``.keras``, ``.h5`` and
SavedModel.

Run it from anywhere: ``python sample_models/build.py [FOLDER]``. The README says what each model
must show.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import keras
from keras import layers, ops

FEATURES = 8
UNITS = 16


def finetune() -> keras.Model:
    """A backbone frozen on purpose, and an adapter on top of it that somebody forgot to
    unfreeze."""
    image = keras.Input((FEATURES,), name="image")
    hidden = layers.Dense(UNITS, activation="gelu", name="stem")(image)
    hidden = layers.BatchNormalization(name="norm")(hidden)
    hidden = layers.Dense(UNITS, activation="gelu", name="block")(hidden)
    backbone = keras.Model(image, hidden, name="backbone")

    features = keras.Input((FEATURES,), name="features")
    hidden = backbone(features)
    hidden = layers.Dense(UNITS, activation="gelu", name="adapter")(hidden)
    model = keras.Model(
        features, layers.Dense(4, activation="softmax", name="head")(hidden), name="finetune"
    )
    backbone.trainable = False
    model.get_layer("adapter").trainable = False
    return model


def two_towers() -> keras.Model:
    """A retrieval model whose document tower stands behind a stop_gradient."""
    return _two_towers(ops.stop_gradient)


def two_towers_layers_only() -> keras.Model:
    """The same model for ``.h5``, which holds no operations: the document tower is quantised to
    integers instead."""

    def quantise(document: keras.KerasTensor) -> keras.KerasTensor:
        codes = layers.Rescaling(16.0, dtype="int32", name="quantise")(document)
        return layers.Rescaling(1 / 16.0, name="dequantise")(codes)

    return _two_towers(quantise)


def argmax() -> keras.Model:
    """A hard routing: the router's scores become a choice by argmax, and the router never
    learns."""
    features = keras.Input((FEATURES,), name="features")
    hidden = layers.Dense(UNITS, activation="gelu", name="encoder")(features)
    scores = layers.Dense(4, name="router")(hidden)
    choice = ops.one_hot(ops.argmax(scores, axis=-1), 4)
    expert = layers.Dense(UNITS, use_bias=False, name="experts")(choice)
    merged = layers.Add(name="merge")([hidden, expert])
    return keras.Model(
        features, layers.Dense(4, activation="softmax", name="head")(merged), name="argmax"
    )


def argmax_layers_only() -> keras.Model:
    """The same fault for ``.h5``, which holds no operations: scores fall into bins, and a bin picks
    an embedding."""
    features = keras.Input((FEATURES,), name="features")
    hidden = layers.Dense(UNITS, activation="gelu", name="encoder")(features)
    scores = layers.Dense(1, name="router")(hidden)
    choice = layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.5], name="bins")(scores)
    expert = layers.Flatten(name="flatten")(layers.Embedding(4, UNITS, name="experts")(choice))
    merged = layers.Add(name="merge")([hidden, expert])
    return keras.Model(
        features, layers.Dense(4, activation="softmax", name="head")(merged), name="argmax"
    )


def healthy() -> keras.Model:
    """Nothing to find: every weight gets a gradient, and the moving averages are no weights."""
    features = keras.Input((FEATURES,), name="features")
    hidden = layers.Dense(UNITS, use_bias=False, name="stem")(features)
    hidden = layers.BatchNormalization(name="norm")(hidden)
    hidden = layers.Activation("gelu", name="act")(hidden)
    hidden = layers.Dropout(0.1, seed=3, name="dropout")(hidden)
    hidden = layers.Dense(UNITS, activation="gelu", name="block")(hidden)
    return keras.Model(
        features, layers.Dense(4, activation="softmax", name="head")(hidden), name="healthy"
    )


def _two_towers(detach: Callable[[keras.KerasTensor], keras.KerasTensor]) -> keras.Model:
    towers = {}
    for side in ("query", "document"):
        inputs = keras.Input((FEATURES,), name=side)
        hidden = layers.Dense(UNITS, activation="gelu", name=f"{side}_hidden")(inputs)
        towers[side] = (inputs, layers.Dense(UNITS, name=f"{side}_embedding")(hidden))
    document = detach(towers["document"][1])
    score = layers.Dot(axes=-1, name="score")([towers["query"][1], document])
    return keras.Model([towers["query"][0], towers["document"][0]], score, name="two_towers")


def build(folder: Path) -> None:
    """Writes all sample models into ``folder``, over those that are there."""
    recipes = {
        "finetune": (finetune, finetune),
        "two_towers": (two_towers, two_towers_layers_only),
        "argmax": (argmax, argmax_layers_only),
        "healthy": (healthy, healthy),
    }
    for name, (recipe, h5_recipe) in recipes.items():
        _fresh(h5_recipe).save(folder / f"{name}.h5")
        model = _fresh(recipe)
        model.save(folder / f"{name}.keras")
        saved_model = folder / f"{name}_saved_model"
        shutil.rmtree(saved_model, ignore_errors=True)
        model.export(saved_model, format="tf_saved_model", verbose=False)


def _fresh(recipe: Callable[[], keras.Model]) -> keras.Model:
    """Same names and same weights each time, whatever was built before."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    return recipe()


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
