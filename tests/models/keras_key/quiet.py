"""Keras models that are as they should be: false alarms, which must stay quiet or say that they are
expected."""

from __future__ import annotations

import keras
from keras import layers, ops

from tests.models.functions.case import ANY, Truth, valued
from tests.models.keras_key.case import keras_case
from tests.models.keras_key.cuts import features
from tests.models.keras_key.layers import Counted, StraightThrough

MATHEMATICALLY_ZERO = Truth("flows", frozenset({("GF305", ANY)}), note=True)
NEVER = valued("GF303", ANY, says=("no update changes that", "both stay zero"))
FROZEN = Truth("flows", frozenset({("GF101", None)}), note=True)
CONTRADICTED = Truth("flows", frozenset({("GF101", None), ("GF102", None)}), note=True)
"""An export lists it as frozen and says of the variable itself that it is trainable."""


@keras_case({"before/bias": MATHEMATICALLY_ZERO}, exported={})
def bias_before_batch_norm():
    x = features()
    hidden = layers.BatchNormalization(name="norm")(layers.Dense(3, name="before")(x))
    return keras.Model(x, layers.Dense(2, name="head")(layers.Dense(3, name="after")(hidden)))


@keras_case({"before/bias": MATHEMATICALLY_ZERO}, exported={})
def bias_before_batch_norm_in_mixed_float16():
    x = features()
    hidden = layers.Dense(3, dtype="mixed_float16", name="before")(x)
    hidden = layers.BatchNormalization(dtype="mixed_float16", name="norm")(hidden)
    hidden = layers.Dense(3, dtype="mixed_float16", name="after")(hidden)
    return keras.Model(x, layers.Dense(2, dtype="float32", name="head")(hidden))


@keras_case({"encoder/bias": valued("GF303", ANY, note=True)})
def difference_of_two_encodings():
    """A siamese network: one layer encodes both inputs, and its bias is in both encodings."""
    one, other = features(name="one"), features(name="other")
    encoder = layers.Dense(3, name="encoder")
    distance = ops.sum(ops.square(encoder(one) - encoder(other)), axis=1, keepdims=True)
    return keras.Model([one, other], layers.Dense(1, name="head")(distance))


@keras_case({"*/key/bias": MATHEMATICALLY_ZERO})
def attention_key_bias():
    x = keras.Input((4, 6), name="x")
    hidden = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    return keras.Model(x, layers.Dense(2, name="head")(layers.Flatten()(hidden)))


@keras_case(
    {"*/lora_kernel_a": valued("GF303", ANY, note=True), "adapted/kernel": FROZEN},
    exported={"*/lora_kernel_a": valued("GF303", ANY, note=True), "adapted/kernel": CONTRADICTED},
    safe=False,
)
def lora():
    x = features()
    adapted = layers.Dense(3, name="adapted")
    model = keras.Model(x, layers.Dense(2, name="head")(adapted(x)))
    adapted.enable_lora(2)
    return model


@keras_case(
    {"*/lora_kernel_*": NEVER, "adapted/kernel": FROZEN},
    exported={"*/lora_kernel_*": NEVER, "adapted/kernel": CONTRADICTED},
)
def lora_as_it_is_loaded():
    """Keras merges both factors into the kernel when it saves, and loads both as zeros: neither can
    start."""
    model = lora()
    adapted = model.get_layer("adapted")
    adapted.lora_kernel_a.assign(ops.zeros_like(adapted.lora_kernel_a))
    return model


@keras_case({"hidden/*": valued("GF303", ANY, note=True)})
def layers_under_a_zero_initialised_head():
    x = features()
    hidden = layers.Dense(3, activation="tanh", name="hidden")(x)
    return keras.Model(x, layers.Dense(2, kernel_initializer="zeros", name="head")(hidden))


@keras_case({"block/*": valued("GF303", ANY, note=True)})
def residual_block_with_a_zero_initialised_gain():
    x = features()
    stem = layers.Dense(4, name="stem")(x)
    block = layers.Dense(4, activation="tanh", name="block")(stem)
    block = layers.Dense(4, use_bias=False, kernel_initializer="zeros", name="gain")(block)
    return keras.Model(x, layers.Dense(2, name="head")(stem + block))


@keras_case({})
def batch_norm_and_dropout():
    x = features()
    hidden = layers.BatchNormalization(name="norm")(
        layers.Dense(3, use_bias=False, name="hidden")(x)
    )
    return keras.Model(
        x, layers.Dense(2, name="head")(layers.Dropout(0.3, seed=1, name="dropout")(hidden))
    )


@keras_case({})
def stop_gradient_on_one_of_two_ways():
    x = features()
    hidden = layers.Dense(3, name="hidden")(x)
    return keras.Model(x, layers.Dense(2, name="head")(ops.stop_gradient(hidden) + hidden))


@keras_case({})
def softmax_classifier():
    x = features()
    hidden = layers.LayerNormalization(name="norm")(
        layers.Dense(8, activation="tanh", name="hidden")(x)
    )
    return keras.Model(x, layers.Dense(5, activation="softmax", name="classes")(hidden))


@keras_case({})
def layer_norm_as_the_output():
    x = features()
    return keras.Model(x, layers.LayerNormalization(name="norm")(layers.Dense(8, name="hidden")(x)))


@keras_case({})
def embedding():
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    hidden = layers.GlobalAveragePooling1D()(layers.Embedding(50, 4, name="words")(tokens))
    return keras.Model(tokens, layers.Dense(2, name="head")(hidden))


@keras_case({"base/*": FROZEN}, exported={"base/*": CONTRADICTED})
def frozen_layer():
    x = features()
    base = layers.Dense(3, name="base")
    model = keras.Model(x, layers.Dense(2, name="head")(base(x)))
    base.trainable = False
    return model


@keras_case({})
def state_that_a_call_changes():
    x = features()
    return keras.Model(x, layers.Dense(2, name="head")(Counted(name="counted")(x)))


@keras_case({})
def straight_through_layer():
    x = features()
    hidden = StraightThrough(name="rounded")(layers.Dense(3, name="hidden")(x) * 4.0)
    return keras.Model(x, layers.Dense(2, name="head")(hidden))


@keras_case({})
def everything_in_mixed_float16():
    x = features()
    hidden = layers.Dense(8, activation="tanh", dtype="mixed_float16", name="hidden")(x)
    return keras.Model(x, layers.Dense(2, dtype="float32", name="head")(hidden))
