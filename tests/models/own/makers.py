"""Functions without arguments that return a model, and some that do not do so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

NUMBER = 3


def cut() -> keras.Model:
    """Two layers, with a stop_gradient between them."""
    print("a function may print")
    x = keras.Input((6,), name="x")
    y = keras.ops.stop_gradient(keras.layers.Dense(4, name="first")(x))
    return keras.Model(x, keras.layers.Dense(2, name="head")(y))


def healthy() -> keras.Model:
    """One layer; leaves a file behind, as any code may."""
    Path("was_here").touch()
    x = keras.Input((6,), name="x")
    return keras.Model(x, keras.layers.Dense(2, name="head")(x))


class Tower(tf.Module):
    """A weight that is used, and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.used = tf.Variable(tf.ones([3, 2]), name="used")
        self.idle = tf.Variable(1.0, name="idle")

    def __call__(self, x: Any) -> Any:
        return x @ self.used

    @staticmethod
    def made() -> Tower:
        return Tower()


def tower() -> tuple[Tower, Any]:
    """A module, which records no input, and a batch for it."""
    return Tower(), np.ones((5, 3), "float32")


def wants(size: int, width: int = 2) -> keras.Model:
    raise NotImplementedError


def fails() -> keras.Model:
    raise ValueError("no data here")


def leaves() -> keras.Model:
    raise SystemExit(3)


def text() -> str:
    return "model"


def wrong_batch() -> tuple[keras.Model, Any]:
    """A model of 6 features, and a batch of 5."""
    return _compiled(), np.ones((2, 5), "float32")


def wrong_target() -> tuple[keras.Model, Any]:
    """A compiled model, and a target for an output that it does not have."""
    return _compiled(), (np.ones((2, 6), "float32"), {"heed": np.ones((2, 2))})


def weighed() -> tuple[keras.Model, Any]:
    """A compiled model, and a batch whose rows weigh nothing."""
    return _compiled(), (np.ones((2, 6), "float32"), np.ones((2, 2)), np.zeros(2))


def _compiled() -> keras.Model:
    x = keras.Input((6,), name="x")
    model = keras.Model(x, keras.layers.Dense(2, name="head")(x))
    model.compile("sgd", "mse")
    return model
