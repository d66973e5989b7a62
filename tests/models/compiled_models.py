"""Tiny compiled models of Keras 3, by name, each with targets that its loss takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

L = keras.layers
CUSTOM: dict[str, Any] = {}
"""What a file with these losses needs, by name."""


@dataclass(frozen=True, slots=True)
class CompiledCase:
    """A compiled model and its targets."""

    model: Any
    targets: Any
    none: tuple[str, ...] = ()
    """The weights that get no gradient."""


def custom(thing: Any) -> Any:
    """Note what has to be given when the file is loaded."""
    CUSTOM[thing.__name__] = thing
    return thing


@custom
def rounding(y_true: Any, y_pred: Any) -> Any:
    return tf.reduce_mean(tf.abs(y_true - tf.round(y_pred)), axis=-1)


@custom
def of_ids(y_true: Any, y_pred: Any) -> Any:
    """Takes one id a row, nothing else."""
    return keras.losses.sparse_categorical_crossentropy(tf.ensure_shape(y_true, [None]), y_pred)


@custom
class Logarithmic(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return tf.reduce_mean(
            tf.square(tf.math.log1p(y_true) - tf.math.log1p(tf.nn.relu(y_pred) + 0.1)), axis=-1
        )


@custom
class OwnObjective(keras.Model):
    """Uses the first of its outputs only."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return tf.reduce_mean(tf.square(y_pred[0])) + tf.add_n(self.losses)


@custom
class Penalty(L.Layer):
    def call(self, x: Any) -> Any:
        self.add_loss(tf.reduce_mean(tf.square(x)))
        return x


FLOATS = np.linspace(-1, 1, 12).reshape(4, 3).astype("float32")
IDS = np.array([0, 1, 2, 1])
ONE_HOT = np.eye(3, dtype="float32")[IDS]


def one(
    loss: Any, targets: Any = FLOATS, activation: str | None = None, none: tuple[str, ...] = ()
) -> CompiledCase:
    """Two layers and three outputs."""
    x = keras.Input([5], name="x")
    y = L.Dense(3, activation=activation, name="head")(L.Dense(4, "tanh", name="hidden")(x))
    model = keras.Model(x, y)
    model.compile("adam", loss)
    return CompiledCase(model, targets, none)


def two() -> tuple[Any, Any, Any]:
    """An input and two heads."""
    x = keras.Input([5], name="x")
    hidden = L.Dense(4, "tanh", name="hidden")(x)
    return x, L.Dense(3, "softmax", name="kind")(hidden), L.Dense(3, name="size")(hidden)


def list_of_losses() -> CompiledCase:
    x, kind, size = two()
    model = keras.Model(x, [kind, size])
    model.compile("sgd", ["sparse_categorical_crossentropy", "mse"], loss_weights=[1.0, 0.5])
    return CompiledCase(model, [IDS, FLOATS])


def output_without_a_loss() -> CompiledCase:
    x, kind, size = two()
    model = keras.Model(x, [kind, size])
    model.compile("sgd", [keras.losses.CategoricalCrossentropy(), None])
    return CompiledCase(model, [ONE_HOT, FLOATS], ("size/kernel", "size/bias"))


def loss_of_no_weight() -> CompiledCase:
    x, kind, size = two()
    model = keras.Model(x, [kind, size])
    model.compile("sgd", ["categorical_crossentropy", "mse"], loss_weights=[1.0, 0.0])
    return CompiledCase(model, [ONE_HOT, FLOATS])


def dict_of_losses() -> CompiledCase:
    x, kind, size = two()
    model = keras.Model(x, {"size": size, "kind": kind})
    losses = {"kind": "categorical_crossentropy", "size": keras.losses.Huber(delta=0.5)}
    model.compile("sgd", losses, loss_weights={"kind": 1.0, "size": 2.0})
    return CompiledCase(model, {"kind": ONE_HOT, "size": FLOATS})


def dict_for_a_list_of_outputs() -> CompiledCase:
    x, kind, size = two()
    model = keras.Model(x, [kind, size])
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": rounding})
    return CompiledCase(model, [IDS, FLOATS], ("size/kernel", "size/bias"))


def own_objective() -> CompiledCase:
    x, kind, size = two()
    kind = L.ActivityRegularization(0.1)(kind)
    model = OwnObjective(x, [kind, size])
    model.compile("sgd", "mse")
    return CompiledCase(model, [FLOATS, FLOATS], ("size/kernel", "size/bias"))


def added_loss_alone() -> CompiledCase:
    x, kind, size = two()
    model = keras.Model(x, [Penalty(name="penalty")(kind), size])
    model.compile("sgd")
    return CompiledCase(model, None, ("size/kernel", "size/bias"))


def regularized_behind_a_cut() -> CompiledCase:
    """The loss stops at the rounding; the regularizer does not, but it is no training."""
    x = keras.Input([5], name="x")
    hidden = L.Dense(4, kernel_regularizer="l2", name="hidden")(x)
    model = keras.Model(x, L.Dense(3, name="head")(keras.ops.round(hidden)))
    model.compile("sgd", "mse")
    return CompiledCase(model, FLOATS, ("hidden/bias", "hidden/kernel"))


def half_precision() -> CompiledCase:
    x = keras.Input([5], name="x")
    model = keras.Model(x, L.Dense(3, name="head", dtype="mixed_float16")(x))
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), "mse")
    return CompiledCase(model, FLOATS)


def tokens() -> CompiledCase:
    ids = keras.Input([6], dtype="int32", name="ids")
    model = keras.Model(ids, L.Dense(9, name="head")(L.Embedding(9, 4, name="table")(ids)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return CompiledCase(model, np.ones([4, 6], "int32"))


def speech() -> CompiledCase:
    x = keras.Input([8, 5], name="x")
    model = keras.Model(x, L.Dense(6, name="head")(x))
    model.compile("sgd", "ctc")
    return CompiledCase(model, np.tile(np.array([[1, 2, 3]], "int32"), [4, 1]))


COMPILED: dict[str, Callable[[], CompiledCase]] = {
    "squared": lambda: one("mse"),
    "sparse": lambda: one("sparse_categorical_crossentropy", IDS, "softmax"),
    "categorical": lambda: one("categorical_crossentropy", ONE_HOT, "softmax"),
    "divergence": lambda: one(keras.losses.KLDivergence(), ONE_HOT, "softmax"),
    "binary": lambda: one("binary_crossentropy", ONE_HOT, "sigmoid"),
    "poisson": lambda: one(keras.losses.Poisson(), np.abs(FLOATS), "softplus"),
    "logarithmic_error": lambda: one("msle", np.abs(FLOATS), "softplus"),
    "focal": lambda: one(keras.losses.BinaryFocalCrossentropy(), ONE_HOT, "sigmoid"),
    "rounding": lambda: one(
        rounding, none=("head/bias", "head/kernel", "hidden/bias", "hidden/kernel")
    ),
    "of_ids": lambda: one(of_ids, IDS, "softmax"),
    "own_logarithm": lambda: one(Logarithmic(), np.abs(FLOATS), "softplus"),
    **{
        build.__name__: build
        for build in (
            list_of_losses,
            output_without_a_loss,
            loss_of_no_weight,
            dict_of_losses,
            dict_for_a_list_of_outputs,
            own_objective,
            added_loss_alone,
            regularized_behind_a_cut,
            half_precision,
            tokens,
            speech,
        )
    },
}
