"""Make random compiled models: heads, losses in every structure, weights, cuts, regularizers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers as L

ROWS = 17
"""Odd, so that the slopes of an absolute error never add up to 0."""


@dataclass(frozen=True, slots=True)
class CompiledSubject:
    """A compiled model, and data that its losses accept."""

    model: keras.Model
    x: Any
    y: Any
    """None where the model has no loss but what its layers add."""


@keras.saving.register_keras_serializable("tests")
class Penalized(L.Layer):
    """Adds the mean square of its input to the loss."""

    def call(self, x: Any) -> Any:
        self.add_loss(keras.ops.mean(keras.ops.square(x)))
        return x


def _ids(draw: np.random.Generator, units: int) -> Any:
    return draw.integers(0, units, size=[ROWS])


def _one_hot(draw: np.random.Generator, units: int) -> Any:
    return np.eye(units, dtype="float32")[_ids(draw, units)]


def _bits(draw: np.random.Generator, units: int) -> Any:
    return draw.integers(0, 2, size=[ROWS, units]).astype("float32")


def _numbers(draw: np.random.Generator, units: int) -> Any:
    return draw.normal(size=[ROWS, units]).astype("float32")


def _positive(draw: np.random.Generator, units: int) -> Any:
    return np.abs(_numbers(draw, units)) + 0.1


Draw = Callable[[np.random.Generator, int], Any]
LOSSES: list[tuple[Callable[[], Any], tuple[str | None, ...], Draw]] = [
    (lambda: "mse", (None, "tanh", "sigmoid", "softmax"), _numbers),
    (lambda: keras.losses.MeanSquaredError(), (None, "sigmoid"), _numbers),
    (lambda: "mae", (None, "tanh"), _numbers),
    (lambda: keras.losses.Huber(delta=0.5), (None, "tanh"), _numbers),
    (lambda: keras.losses.log_cosh, (None,), _numbers),
    (lambda: "sparse_categorical_crossentropy", ("softmax",), _ids),
    (
        lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        (None, "tanh"),
        _ids,
    ),
    (lambda: "categorical_crossentropy", ("softmax",), _one_hot),
    (
        lambda: keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        (None,),
        _one_hot,
    ),
    (lambda: keras.losses.CategoricalFocalCrossentropy(), ("softmax",), _one_hot),
    (lambda: keras.losses.KLDivergence(), ("softmax",), _one_hot),
    (lambda: "binary_crossentropy", ("sigmoid", "softmax"), _bits),
    (lambda: keras.losses.BinaryCrossentropy(from_logits=True), (None,), _bits),
    (lambda: keras.losses.BinaryFocalCrossentropy(), ("sigmoid",), _bits),
    (lambda: keras.losses.Dice(), ("sigmoid",), _bits),
    (lambda: keras.losses.Tversky(), ("sigmoid",), _bits),
    (lambda: "hinge", ("tanh",), _bits),
    (lambda: "squared_hinge", ("tanh",), _bits),
    (lambda: keras.losses.Poisson(), ("softplus", "exponential"), _positive),
    (lambda: "msle", ("softplus",), _positive),
    (lambda: "mape", (None,), _positive),
]


def random_compiled(seed: int) -> CompiledSubject:
    """The compiled model of ``seed``."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    choose, draw = random.Random(seed), np.random.default_rng(seed)
    width = choose.randint(3, 6)
    x = keras.Input([width], name="x")
    trunk = x
    for number in range(choose.randint(1, 2)):
        trunk = _hidden(choose, trunk, f"hidden_{number}")
    heads, losses, targets = [], [], []
    for number in range(choose.choice([1, 1, 2, 2, 3])):
        loss, activations, target = choose.choice(LOSSES)
        units = choose.choice([1, 2, 3, 4])
        head = L.Dense(units, activation=choose.choice(activations), name=f"head_{number}")
        heads.append(head(_passed(choose, trunk, f"branch_{number}")))
        losses.append(loss())
        targets.append(target(draw, units))
    return _compiled(choose, x, heads, losses, targets)


def random_sample_weight(seed: int, subject: CompiledSubject) -> Any:
    """Weights of the rows of ``subject``, often 0 for all of an output: one array for every output,
    or one for each in the structure of its targets."""
    draw = np.random.default_rng([seed, 1])
    if keras.tree.is_nested(subject.y) and draw.random() < 0.7:
        return keras.tree.map_structure(lambda _: _row_weights(draw), subject.y)
    return _row_weights(draw)


def _row_weights(draw: np.random.Generator) -> Any:
    weights = draw.uniform(0.5, 2.0, size=[ROWS])
    counted = {0: 0.0, 1: draw.integers(0, 2, size=[ROWS])}.get(int(draw.integers(3)), 1.0)
    return (weights * counted).astype("float32")


def _hidden(choose: random.Random, x: Any, name: str) -> Any:
    activation = choose.choice(["tanh", "gelu", "softplus", "sigmoid", None])
    regularizers = {
        key: "l2"
        for key in ("kernel_regularizer", "bias_regularizer", "activity_regularizer")
        if choose.random() < 0.15
    }
    layer = L.Dense(choose.randint(4, 8), activation=activation, name=name, **regularizers)
    layer.trainable = choose.random() > 0.15
    x = layer(x)
    return _passed(choose, x, f"{name}_after")


def _passed(choose: random.Random, x: Any, name: str) -> Any:
    """``x`` behind nothing, or behind something that may or may not pass a gradient."""
    kind = choose.choice(
        ["none"] * 6 + ["dropout", "norm", "stop", "round", "argmax", "penalty", "sign", "zero"]
    )
    if kind == "dropout":
        return L.Dropout(0.2, name=name)(x)
    if kind == "norm":
        return L.LayerNormalization(name=name)(x)
    if kind == "stop":
        return keras.ops.stop_gradient(x)
    if kind == "round":
        return keras.ops.round(x)
    if kind == "argmax":
        # Among zeros with and without a sign, a graph chooses otherwise than eager ops.
        slope = np.linspace(0.0, 1e-3, x.shape[-1], dtype="float32")
        return keras.ops.cast(keras.ops.argmax(x + slope, axis=-1, keepdims=True), "float32")
    if kind == "penalty":
        return Penalized(name=name)(x)
    if kind == "sign":
        return keras.ops.sign(x)
    if kind == "zero":
        return L.Rescaling(0.0, name=name)(x)
    return x


def _compiled(
    choose: random.Random, x: Any, heads: list[Any], losses: list[Any], targets: list[Any]
) -> CompiledSubject:
    names = [f"head_{number}" for number in range(len(heads))]
    structure = choose.choice(["list", "dict", "list with dict of losses", "one loss"])
    if len(heads) == 1:
        model = keras.Model(x, heads[0])
        loss, y = losses[0], targets[0]
        weights = choose.choice([None, 1.0, 0.5])
        if structure == "list":
            loss, weights = [loss], None
        metrics: Any = choose.choice([None, ["mae"]]) if targets[0].ndim == 2 else None
    else:
        covered = [choose.random() > 0.25 for _ in heads]
        covered[choose.randrange(len(heads))] = True
        sizes = [choose.choice([1.0, 1.0, 0.5, 2.0, 0.0]) for _ in heads]
        metrics = None
        if structure == "dict":
            model = keras.Model(x, dict(zip(names, heads, strict=True)))
            kept = [name for name, has in zip(names, covered, strict=True) if has]
            by_name = dict(zip(names, losses, strict=True))
            loss = {name: by_name[name] for name in kept}
            y = dict(zip(names, targets, strict=True))
            by_size = dict(zip(names, sizes, strict=True))
            weights = choose.choice([None, {name: by_size[name] for name in kept}])
        elif structure == "list with dict of losses":
            model = keras.Model(x, heads)
            loss = dict(zip(names, losses, strict=True))
            weights = choose.choice([None, dict(zip(names, sizes, strict=True))])
            y = targets
        elif structure == "one loss":
            model = keras.Model(x, heads)
            loss, weights = "mse", None
            y = [
                np.random.default_rng(0).normal(size=[ROWS, head.shape[-1]]).astype("float32")
                for head in heads
            ]
        else:
            model = keras.Model(x, heads)
            loss = [one if has else None for one, has in zip(losses, covered, strict=True)]
            weights, y = choose.choice([None, sizes]), targets
    model.compile("adam", loss=loss, loss_weights=weights, metrics=metrics)
    data = np.random.default_rng(1).normal(size=[ROWS, x.shape[-1]]).astype("float32")
    return CompiledSubject(model, data, y)
