"""Keras models with biases whose shift is taken out again, and with such that look like it."""

from __future__ import annotations

from typing import Any

import keras

L = keras.layers


def convolutions_before_batch_norm() -> Any:
    image = x = keras.Input((8, 8, 3))
    for number in range(9):
        x = L.Conv2D(4, 3, padding="same", name=f"conv_{number}")(x)
        x = L.ReLU()(L.BatchNormalization(name=f"norm_{number}")(x))
    return keras.Model(image, L.Dense(2, name="head")(L.GlobalAveragePooling2D()(x)))


def convolutions_before_instance_norm() -> Any:
    image = x = keras.Input((8, 8, 3))
    for number in range(4):
        x = L.Conv2D(4, 3, padding="same", name=f"conv_{number}")(x)
        x = L.LeakyReLU()(L.GroupNormalization(groups=-1, name=f"norm_{number}")(x))
    return keras.Model(image, L.Dense(2, name="head")(L.GlobalAveragePooling2D()(x)))


def keys_of_attention() -> Any:
    words = x = keras.Input((6, 8))
    for number in range(3):
        x = x + L.MultiHeadAttention(2, 4, name=f"attention_{number}")(x, x)
        x = x + L.Dense(8, "relu", name=f"mixed_{number}")(L.LayerNormalization()(x))
    return keras.Model(words, L.Dense(2, name="head")(L.GlobalAveragePooling1D()(x)))


def normalized_over_another_axis() -> Any:
    x = keras.Input((6, 4))
    hidden = L.BatchNormalization(axis=1, name="norm")(L.Dense(3, name="conv_0")(x))
    return keras.Model(x, L.Dense(2, name="head")(L.Dense(3, name="after")(hidden)))


def normalized_in_groups() -> Any:
    image = keras.Input((8, 8, 3))
    hidden = L.GroupNormalization(groups=2, name="norm")(L.Conv2D(4, 3, name="conv_0")(image))
    return keras.Model(image, L.Dense(2, name="head")(L.Flatten()(hidden)))


def used_beside_the_normalization() -> Any:
    x = keras.Input((4,))
    hidden = L.Dense(3, name="conv_0")(x)
    normal = L.BatchNormalization(name="norm")(hidden)
    return keras.Model(x, [L.Dense(2, name="head")(normal), hidden])
