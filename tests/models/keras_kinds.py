"""Tiny Keras 3 models of every kind that a file can hold, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

L = keras.layers
register = keras.saving.register_keras_serializable


def sequential_without_an_input() -> Any:
    model = keras.Sequential([L.Dense(6, "tanh"), L.Dense(3)])
    model.build([None, 5])
    return model


def named_inputs_and_outputs() -> Any:
    a, b = keras.Input([4], name="a"), keras.Input([3], name="b")
    x = L.Concatenate()([a, b])
    return keras.Model(
        {"b": b, "a": a}, {"p": L.Dense(2, name="p")(x), "q": L.Dense(3, name="q")(a)}
    )


def shared_and_nested() -> Any:
    inner = keras.Sequential([keras.Input([4]), L.Dense(3), L.Dense(2)], name="inner")
    a, b = keras.Input([4], name="a"), keras.Input([4], name="b")
    return keras.Model([a, b], L.Dense(1)(L.Subtract()([inner(a), inner(b)])))


def trained_with_moving_averages() -> Any:
    """The optimizer has two variables for each weight, and an average; the metrics have theirs."""
    model = keras.Sequential(
        [keras.Input([5]), L.Dense(4, "tanh"), L.BatchNormalization(), L.Dense(2)]
    )
    model.compile(keras.optimizers.Adam(use_ema=True), "mse", metrics=["mae"])
    model.fit(np.ones([8, 5]), np.ones([8, 2]), verbose=0)
    return model


def scaled_loss() -> Any:
    layers = [
        keras.Input([5]),
        L.Dense(4, dtype="mixed_float16"),
        L.Dense(2, dtype="mixed_float16"),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), "mse")
    model.fit(np.ones([8, 5]), np.ones([8, 2]), verbose=0)
    return model


def quantized() -> Any:
    """Kernels are whole numbers, which nothing trains; gradients reach the biases."""
    model = keras.Sequential([keras.Input([8]), L.Dense(6, name="first"), L.Dense(2, name="last")])
    model.quantize("int8")
    return model


def low_rank() -> Any:
    model = keras.Sequential([keras.Input([8]), L.Dense(6, name="adapted"), L.Dense(2)])
    model.layers[0].enable_lora(2)
    model.layers[0].lora_kernel_b.assign(np.ones([2, 6]))
    return model


def stateful() -> Any:
    x = keras.Input(batch_shape=[2, 5, 3])
    return keras.Model(x, L.Dense(1)(L.LSTM(4, stateful=True)(x)))


def preprocessed() -> Any:
    normalization = L.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(size=[16, 8, 8, 3]))
    x = keras.Input([8, 8, 3])
    y = L.Conv2D(2, 3)(L.RandomFlip()(L.Rescaling(1 / 255.0)(normalization(x))))
    return keras.Model(x, L.Dense(1)(L.Flatten()(L.GaussianNoise(0.1)(y))))


@register("kinds")
class Offset(L.Layer):
    """Has a weight and a variable that is declared not to be one."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=[input_shape[-1]], name="scale", initializer="ones")
        self.offset = self.add_weight(shape=[input_shape[-1]], name="offset", trainable=False)

    def call(self, x: Any) -> Any:
        return x * self.scale + self.offset


def with_a_constant() -> Any:
    return keras.Sequential([keras.Input([5]), Offset(name="offset_layer"), L.Dense(2)])


@register("kinds")
class Pair(keras.Model):
    """Takes a dict, and uses one of its two branches for a number that nothing trains."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.left, self.right, self.head = L.Dense(4), L.Dense(4), L.Dense(2)

    def call(self, inputs: Any, training: bool = False) -> Any:
        right = keras.ops.stop_gradient(self.right(inputs["b"]))
        return self.head(keras.ops.tanh(self.left(inputs["a"])) + right)


def subclassed() -> Any:
    model = Pair(name="pair")
    model({"a": np.ones([2, 5]), "b": np.ones([2, 3])})
    return model


@register("kinds")
class TwoArguments(keras.Model):
    """Is called with two tensors: Keras records the shape of the first one only."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.left, self.right = L.Dense(3), L.Dense(3)

    def call(self, x: Any, y: Any, training: bool = False) -> Any:
        return self.left(x) * keras.ops.stop_gradient(self.right(y))


def called_with_two_arguments() -> Any:
    model = TwoArguments(name="two")
    model(np.ones([2, 4]), np.ones([2, 5]))
    return model


KINDS: dict[str, Callable[[], Any]] = {
    build.__name__: build
    for build in (
        sequential_without_an_input,
        named_inputs_and_outputs,
        shared_and_nested,
        trained_with_moving_averages,
        scaled_loss,
        quantized,
        low_rank,
        stateful,
        preprocessed,
        with_a_constant,
        subclassed,
        called_with_two_arguments,
    )
}
