"""Make a Keras model that is hard to feed, by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Builder = Callable[[], keras.Model]
BUILDERS: dict[str, Builder] = {}
NOT_EXPORTED = {"sparse_features", "subclassed"}
"""Keras does not export sparse inputs; a subclassed model is tried as a file."""


def model(builder: Builder) -> Builder:
    BUILDERS[builder.__name__] = builder
    return builder


@model
def text() -> Any:
    vectorize = keras.layers.TextVectorization(
        output_sequence_length=6, vocabulary=["red", "green", "blue", "grey"]
    )
    inputs = keras.Input((), dtype="string", name="text")
    hidden = keras.layers.Embedding(6, 4)(vectorize(inputs))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(hidden)))


@model
def words_and_codes() -> Any:
    word, code = (
        keras.Input((2,), dtype="string", name="word"),
        keras.Input((2,), dtype="int64", name="code"),
    )
    first = keras.layers.StringLookup(vocabulary=["a", "b", "c"], num_oov_indices=1)(word)
    second = keras.layers.IntegerLookup(vocabulary=[1000, 2000], num_oov_indices=1)(code)
    embedded = [keras.layers.Embedding(4, 3)(first), keras.layers.Embedding(3, 3)(second)]
    return keras.Model([word, code], keras.layers.Dense(2)(keras.layers.Concatenate()(embedded)))


@model
def token_types() -> Any:
    """Under dictionary keys, as in keras-hub: each of the three with a range of its own."""
    inputs = {
        "token_ids": keras.Input((None,), dtype="int32", name="token_ids"),
        "segment_ids": keras.Input((None,), dtype="int32", name="segment_ids"),
        "padding_mask": keras.Input((None,), dtype="int32", name="padding_mask"),
    }
    x = keras.layers.Embedding(50, 8)(inputs["token_ids"]) + keras.layers.Embedding(2, 8)(
        inputs["segment_ids"]
    )
    mask = keras.ops.cast(inputs["padding_mask"], "bool")[:, None, :]
    x = x + keras.layers.MultiHeadAttention(2, 4)(x, x, attention_mask=mask)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.LayerNormalization()(x)))


@model
def masked_recurrence() -> Any:
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(20, 6, mask_zero=True)(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.LSTM(4)(x)))


@model
def ids_as_floats() -> Any:
    return keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Embedding(7, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )


@model
def logarithm() -> Any:
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.ops.log(inputs + 1e-6)))


@model
def image_of_any_size() -> Any:
    inputs = keras.Input((None, None, 3))
    x = inputs
    for filters in (4, 6, 8):
        x = keras.layers.Conv2D(filters, 3, strides=2, activation="elu")(x)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))


@model
def halved_and_doubled() -> Any:
    """The way up only meets the way down where the size can be halved twice."""
    inputs = keras.Input((None, None, 1))
    first = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    second = keras.layers.Conv2D(4, 3, padding="same", strides=4)(first)
    up = keras.layers.UpSampling2D(4)(second)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1)(keras.layers.Concatenate()([first, up])))


@model
def bytes_of_an_image() -> Any:
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255.0)(inputs)
    return keras.Model(
        inputs, keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Conv2D(3, 3)(x)))
    )


@model
def categories() -> Any:
    inputs = keras.Input((1,), dtype="int32")
    return keras.Model(
        inputs,
        keras.layers.Dense(2)(keras.layers.CategoryEncoding(5, output_mode="one_hot")(inputs)),
    )


@model
def hashed_and_scaled() -> Any:
    word, size = keras.Input((1,), dtype="string", name="word"), keras.Input((2,), name="size")
    scaled = keras.layers.Normalization(mean=[1.0, 2.0], variance=[2.0, 3.0])(size)
    hashed = keras.layers.Flatten()(keras.layers.Embedding(8, 3)(keras.layers.Hashing(8)(word)))
    return keras.Model(
        [word, size], keras.layers.Dense(2)(keras.layers.Concatenate()([hashed, scaled]))
    )


@model
def sparse_features() -> Any:
    inputs = keras.Input((6,), sparse=True, name="features")
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(3)(inputs)))


@model
def half_precision() -> Any:
    inputs = keras.Input((4,), dtype="float16")
    return keras.Model(inputs, keras.layers.Dense(2, dtype="mixed_float16")(inputs))


@keras.saving.register_keras_serializable("inputs")
class Subclassed(keras.Model):
    """No symbolic inputs: the shape that it was built with is all that is known of them."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.table, self.head = keras.layers.Embedding(6, 3), keras.layers.Dense(2)

    def call(self, ids: Any) -> Any:
        return self.head(self.table(ids))


@model
def subclassed() -> Any:
    built = Subclassed(name="subclassed")
    built(np.zeros((2, 5), "int32"))
    return built
