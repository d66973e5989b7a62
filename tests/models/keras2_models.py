"""Tiny models of Keras 2, by name: each returns a model of tf_keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

L = tf_keras.layers


def sequential() -> Any:
    layers = [
        L.Input([8]),
        L.Dense(6, "tanh"),
        L.BatchNormalization(),
        L.Dropout(0.2),
        L.Dense(3, "softmax"),
    ]
    return tf_keras.Sequential(layers)


def sequential_built_late() -> Any:
    model = tf_keras.Sequential([L.Dense(6, "tanh"), L.Dense(3)])
    model.build([None, 5])
    return model


def three_of_a_kind() -> Any:
    x = tf_keras.Input([4])
    return tf_keras.Model(x, L.Dense(6)(L.Dense(5)(L.Dense(4, trainable=False, name="first")(x))))


def stopped() -> Any:
    """TensorFlow's functions in a functional model: layers of class TFOpLambda."""
    x = tf_keras.Input([6])
    hidden = tf.stop_gradient(L.Dense(4, name="stopped")(x)) + L.Dense(4, name="alive")(x)
    return tf_keras.Model(x, L.Dense(2)(tf.nn.tanh(hidden)))


def rounded() -> Any:
    x = tf_keras.Input([6])
    return tf_keras.Model(x, L.Dense(2)(tf.round(L.Dense(4, name="behind")(x))))


def unused_head() -> Any:
    x = tf_keras.Input([6])
    choice = tf.argmax(L.Dense(3, name="choice")(x), axis=-1)
    return tf_keras.Model(x, [L.Dense(2, name="score")(x), choice])


def nested_and_frozen() -> Any:
    inner = tf_keras.Sequential([L.Input([4]), L.Dense(4), L.Dense(4)], name="inner")
    inner.trainable = False
    within = tf_keras.Input([4])
    deep = tf_keras.Model(within, L.Dense(3, name="on_top")(inner(within)), name="deep")
    x = tf_keras.Input([4])
    return tf_keras.Model(x, L.Dense(2, name="head")(deep(x)))


def all_frozen() -> Any:
    model = tf_keras.Sequential([L.Input([4]), L.Dense(3), L.BatchNormalization(), L.Dense(2)])
    model.trainable = False
    return model


def shared() -> Any:
    a, b = tf_keras.Input([4], name="a"), tf_keras.Input([4], name="b")
    dense = L.Dense(3, name="shared")
    return tf_keras.Model([a, b], L.Concatenate()([dense(a), dense(b)]))


def named_inputs_and_outputs() -> Any:
    a, b = tf_keras.Input([4], name="a"), tf_keras.Input([3], name="b")
    x = L.Concatenate()([a, b])
    return tf_keras.Model(
        {"b": b, "a": a}, {"p": L.Dense(2, name="p")(x), "q": L.Dense(3, name="q")(a)}
    )


def words() -> Any:
    ids = tf_keras.Input([5], dtype="int32")
    x = L.Bidirectional(L.LSTM(4, return_sequences=True))(L.Embedding(20, 5, mask_zero=True)(ids))
    return tf_keras.Model(ids, L.Dense(1, "sigmoid")(L.GRU(3)(x)))


def stateful() -> Any:
    x = tf_keras.Input(batch_shape=[2, 5, 3])
    return tf_keras.Model(x, L.Dense(1)(L.LSTM(4, stateful=True)(x)))


def video() -> Any:
    x = tf_keras.Input([3, 4, 4, 2])
    return tf_keras.Model(x, L.Bidirectional(L.ConvLSTM2D(3, 3))(x))


def images() -> Any:
    x = tf_keras.Input([12, 12, 3])
    y = L.SeparableConv2D(4, 3, use_bias=False)(L.RandomFlip()(L.Rescaling(1 / 255.0)(x)))
    return tf_keras.Model(x, L.Dense(2)(L.GlobalAveragePooling2D()(L.BatchNormalization()(y))))


def attention() -> Any:
    x = tf_keras.Input([6, 8])
    y = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 4)(x, x)]))
    return tf_keras.Model(x, L.Dense(1)(y))


def over_one_feature() -> Any:
    """Nothing before the normalization ever gets a gradient; once fused (a larger epsilon), once
    not."""
    x = tf_keras.Input([6, 1])
    y = L.LayerNormalization(name="plain")(L.Dense(1, name="behind_plain")(x))
    z = L.LayerNormalization(epsilon=0.01, name="fused")(L.Dense(1, name="behind_fused")(x))
    return tf_keras.Model(x, L.Dense(2)(L.Flatten()(L.Concatenate()([y, z]))))


def adapted() -> Any:
    normalization = L.Normalization(axis=-1)
    normalization.adapt(tf.random.stateless_normal([16, 8], [0, 1]))
    x = tf_keras.Input([8])
    return tf_keras.Model(x, L.Dense(2)(normalization(x)))


def half_precision() -> Any:
    layers = [
        L.Input([8]),
        L.Dense(4, "tanh", dtype="mixed_float16"),
        L.Dense(2, dtype="mixed_float16"),
    ]
    model = tf_keras.Sequential(layers)
    model.compile(tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.SGD()), "mse")
    return model


def trained() -> Any:
    """Its optimizer has variables, which are saved too."""
    model = sequential()
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(tf.ones([4, 8]), tf.ones([4, 3]), verbose=0)
    return model


def text() -> Any:
    """Its vocabulary is kept in ``.keras`` files only."""
    vectorization = L.TextVectorization(20, output_sequence_length=4)
    vectorization.adapt(["some words", "of a text"])
    x = tf_keras.Input([1], dtype=tf.string)
    hidden = L.GlobalAveragePooling1D()(L.Embedding(20, 3, name="words")(vectorization(x)))
    return tf_keras.Model(x, L.Dense(2, name="head")(hidden))


KERAS2_MODELS: dict[str, Callable[[], Any]] = {
    build.__name__: build
    for build in (
        sequential,
        sequential_built_late,
        three_of_a_kind,
        stopped,
        rounded,
        unused_head,
        nested_and_frozen,
        all_frozen,
        shared,
        named_inputs_and_outputs,
        words,
        stateful,
        video,
        images,
        attention,
        over_one_feature,
        adapted,
        half_precision,
        trained,
    )
}
