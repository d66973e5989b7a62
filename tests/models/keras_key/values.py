"""Keras models whose gradients are zero, not finite, tiny or huge."""

from __future__ import annotations

import keras
from keras import layers, ops

from tests.models.functions.case import ANY, Truth, valued
from tests.models.functions.nonfinite import broken
from tests.models.keras_key.case import keras_case
from tests.models.keras_key.cuts import features
from tests.models.keras_key.layers import Scaled

LOW = keras.initializers.Constant(-1e3)


@keras_case(
    {
        "below/*": valued("GF303", "Relu", layer="dead"),
        "dead/*": valued("GF303", "Relu", layer="dead"),
        "above/kernel": valued("GF303", "Relu", layer="dead"),
    }
)
def dead_relu_layer():
    x = features()
    hidden = layers.Dense(3, name="below")(x)
    hidden = layers.Dense(3, activation="relu", bias_initializer=LOW, name="dead")(hidden)
    return keras.Model(x, layers.Dense(2, name="above")(hidden) + layers.Dense(2, name="beside")(x))


@keras_case(
    {
        "wide/*": valued("GF303", "Relu", layer="dead"),
        "grouped/*": valued("GF303", "Relu", layer="dead"),
        "dead/*": valued("GF303", "Relu", layer="dead"),
        "above/kernel": valued("GF303", "Relu", layer="dead"),
    }
)
def dead_relu_behind_a_grouped_convolution():
    x = features()
    hidden = layers.Conv1D(4, 2, groups=2, name="grouped")(
        layers.Reshape((4, 2))(layers.Dense(8, name="wide")(x))
    )
    dead = layers.Dense(3, activation="relu", bias_initializer=LOW, name="dead")(
        layers.Flatten()(hidden)
    )
    return keras.Model(
        x, layers.Dense(2, name="above", use_bias=False)(dead) + layers.Dense(2, name="beside")(x)
    )


@keras_case({"dead/*": valued("GF303", "Relu", layer="dead")})
def dead_relu_as_the_output():
    x = features()
    return keras.Model(x, layers.Dense(2, activation="relu", bias_initializer=LOW, name="dead")(x))


@keras_case({"high/*": valued("GF303", "Minimum|ClipByValue|Relu6", layer="capped")})
def saturated_relu_with_a_maximum():
    x = features()
    hidden = layers.Dense(3, bias_initializer=keras.initializers.Constant(1e3), name="high")(x)
    return keras.Model(
        x, layers.Dense(2, name="head")(layers.ReLU(max_value=6.0, name="capped")(hidden))
    )


@keras_case({"*": valued("GF303", "Softmax", layer="only")})
def softmax_over_one_class():
    x = features()
    return keras.Model(
        x, layers.Dense(1, activation="softmax", name="only")(layers.Dense(3, name="hidden")(x))
    )


@keras_case(
    {
        "one/*": valued("GF303", ANY, layer="norm", says=("axis of size 1",)),
        "norm/gamma": valued("GF303", ANY, layer="norm", says=("axis of size 1",)),
    },
)
def layer_norm_over_an_axis_of_size_one():
    x = features()
    hidden = layers.LayerNormalization(beta_initializer="ones", name="norm")(
        layers.Dense(1, name="one")(x)
    )
    return keras.Model(x, layers.Dense(2, name="head")(hidden))


@keras_case(
    # A note, as for every bias that is added on both sides of a difference: the model computes the
    # same without it.
    {"twin/beta": valued("GF303", ANY, note=True)},
    exported={"twin/beta": valued("GF303", ANY, note=True), "hidden/bias": valued("GF303", ANY)},
)
def beta_of_twin_towers_that_are_subtracted():
    left, right = features(name="left"), features(name="right")
    hidden, norm = (
        layers.Dense(3, use_bias=False, name="hidden"),
        layers.BatchNormalization(name="twin"),
    )
    return keras.Model(
        [left, right], layers.Subtract(name="difference")([norm(hidden(left)), norm(hidden(right))])
    )


@keras_case({"low/*": broken("Sqrt"), "head/kernel": valued("GF303", ANY)})
def length_of_a_vector_of_zeros():
    x = features()
    zero = ops.relu(layers.Dense(3, bias_initializer=LOW, name="low")(x))
    length = ops.sqrt(ops.sum(ops.square(zero), axis=-1, keepdims=True))
    return keras.Model(x, layers.Dense(2, use_bias=False, name="head")(length))


@keras_case({"low/*": broken("Log"), "head/kernel": valued("GF303", ANY)})
def log_behind_a_where():
    x = features()
    zero = ops.relu(layers.Dense(3, bias_initializer=LOW, name="low")(x))
    safe = ops.where(zero > 0.0, ops.log(zero), 0.0)
    return keras.Model(x, layers.Dense(2, name="head")(safe))


@keras_case({"tiny/*": Truth("flows", frozenset({("GF305", ANY)}))})
def vanishing_branch():
    x = features()
    hidden = layers.Dense(3, name="first")(x)
    tiny = Scaled(1e-12, name="scaled")(layers.Dense(3, name="tiny")(x))
    return keras.Model(
        x, layers.Dense(2, name="head")(layers.Dense(3, name="second")(hidden) + tiny)
    )


@keras_case({"huge/kernel": Truth("flows", frozenset({("GF306", ANY)}))})
def exploding_branch():
    x = features()
    hidden = layers.Dense(3, name="first")(x)
    huge = layers.Dense(2, name="huge")(Scaled(1e12, name="scaled")(x)) + layers.Dense(
        2, name="head"
    )(hidden)
    return keras.Model(x, huge)


@keras_case({"low/*": valued("GF303", ANY, says=("float16",)), "head/kernel": valued("GF303", ANY)})
def underflow_in_mixed_float16():
    x = features()
    hidden = layers.Dense(3, dtype="mixed_float16", name="low")(x)
    tiny = Scaled(1e-5, dtype="mixed_float16", name="scaled")(hidden)
    tiny = Scaled(1e-5, dtype="mixed_float16", name="again")(tiny)
    return keras.Model(x, layers.Dense(2, name="head")(tiny) + layers.Dense(2, name="beside")(x))
