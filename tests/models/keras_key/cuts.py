"""Keras models with cuts: between layers, in layers, in heads that nobody asks for."""

from __future__ import annotations

import keras
from keras import layers, ops

from tests.models.functions.case import UNUSED, Truth, cut
from tests.models.keras_key.case import keras_case
from tests.models.keras_key.layers import (
    Blocked,
    Forgetful,
    LossLayer,
    NumpyTanh,
    OnlyInTraining,
    Thresholded,
)

FILLED = Truth("zero", frozenset({("GF206", None)}), None)
"""Unused: TensorFlow fills in zeros for the outputs of a function that are not asked for."""


def features(size: int = 4, name: str = "x") -> keras.KerasTensor:
    return keras.Input((size,), name=name)


@keras_case({"d1/*": cut("GF202", "Round", at="Round")})
def rounded_between_layers():
    x = features()
    return keras.Model(
        x, layers.Dense(2, name="d2")(ops.round(layers.Dense(3, name="d1")(x) * 5.0))
    )


@keras_case({"enc/*": cut("GF202", "ArgMax", back="(?i)one_?hot")})
def argmax_in_the_middle():
    x = features()
    choice = ops.argmax(layers.Dense(5, name="enc")(x), axis=-1)
    return keras.Model(x, layers.Dense(2, name="dec")(ops.one_hot(choice, 5)))


@keras_case({"enc/*": cut("GF202", "ArgMax", back="Cast")})
def argmax_cast_in_the_middle():
    x = features()
    choice = ops.cast(ops.argmax(layers.Dense(5, name="enc")(x), axis=-1, keepdims=True), "float32")
    return keras.Model(x, layers.Dense(2, name="dec")(choice))


@keras_case({"*": cut("GF202", "ArgMax", back="Cast")})
def argmax_as_the_output():
    x = features()
    classes = layers.Dense(5, activation="softmax", name="classes")(
        layers.Dense(3, name="hidden")(x)
    )
    return keras.Model(x, ops.cast(ops.argmax(classes, axis=-1), "float32"))


@keras_case({"*": cut("GF202", "Round")})
def the_whole_output_rounded_by_keras():
    x = features()
    return keras.Model(x, ops.round(layers.Dense(3, name="d")(x)))


@keras_case({"*": cut("GF202", "Floor")})
def the_whole_output_floored():
    x = features()
    return keras.Model(x, ops.floor(layers.Dense(3, activation="sigmoid", name="d")(x) + 0.5))


@keras_case({"conv1/*": cut("GF202", "Cast", at="threshold", layer="threshold", back="threshold")})
def cast_as_a_threshold():
    x = keras.Input((6, 1), name="x")
    hidden = Thresholded(name="threshold")(layers.Conv1D(2, 2, name="conv1")(x))
    return keras.Model(x, layers.Dense(2, name="head")(layers.Flatten()(hidden)))


@keras_case({"first/*": cut("GF208", "(Eager)?PyFunc(Stateless)?", layer="numpy")})
def numpy_in_the_first_layer():
    x = features()
    return keras.Model(
        x, layers.Dense(2, name="second")(NumpyTanh(name="numpy")(layers.Dense(3, name="first")(x)))
    )


@keras_case({"b/*": cut("GF201", "StopGradient")})
def one_of_two_towers_detached():
    x = features()
    detached = ops.stop_gradient(layers.Dense(3, name="b")(x))
    return keras.Model(x, layers.Dense(2, name="head")(layers.Dense(3, name="c")(x) + detached))


@keras_case({"enc/*": cut("GF201", "StopGradient")}, safe=False)
def stop_gradient_in_a_lambda_layer():
    x = features()
    held = layers.Lambda(ops.stop_gradient, name="lambda", output_shape=(3,))(
        layers.Dense(3, name="enc")(x)
    )
    return keras.Model(x, layers.Dense(2, name="head")(held))


@keras_case({"*": cut("GF201", "StopGradient")})
def everything_behind_a_stop_gradient():
    x = features()
    return keras.Model(
        x, ops.stop_gradient(layers.Dense(3, name="a")(layers.Dense(3, name="b")(x)))
    )


@keras_case(
    {
        "low/*": cut("GF201", "StopGradient", cuts=2),
        "middle/*": cut("GF201", "StopGradient", cuts=1),
    }
)
def two_stop_gradients_in_a_row():
    x = features()
    held = ops.stop_gradient(layers.Dense(3, name="low")(x))
    return keras.Model(
        x, layers.Dense(2, name="top")(ops.stop_gradient(layers.Dense(3, name="middle")(held)))
    )


@keras_case(
    {
        "both/*": Truth("none", frozenset({("GF201", "StopGradient"), ("GF202", "Round")}), 1),
        "one/*": cut("GF202", "Round"),
    }
)
def three_heads_of_which_two_are_cut():
    x = features()
    both, one = layers.Dense(3, name="both")(x), layers.Dense(3, name="one")(x)
    heads = [
        layers.Dense(2, name="h0")(ops.stop_gradient(both)),
        layers.Dense(2, name="h1")(ops.round(both + one)),
        layers.Dense(2, name="h2")(x),
    ]
    return keras.Model(x, heads)


@keras_case({"enc/*": cut("GF205", "IdentityN", layer="blocked")})
def custom_gradient_of_none_in_a_layer():
    x = features()
    return keras.Model(
        x, layers.Dense(2, name="head")(Blocked(name="blocked")(layers.Dense(3, name="enc")(x)))
    )


@keras_case({"pooler/*": UNUSED}, exported={"pooler/*": FILLED}, outputs=("sequence",))
def pooler_whose_output_nobody_asks_for():
    x = features()
    sequence = layers.Dense(3, name="sequence")(x)
    return keras.Model(
        x, {"sequence": sequence, "pooled": layers.Dense(2, name="pooler")(sequence)}
    )


@keras_case({"h2/*": UNUSED}, exported={"h2/*": FILLED}, outputs=("h1",))
def two_heads_of_which_one_is_asked_for():
    x = features()
    trunk = layers.Dense(3, name="trunk")(x)
    return keras.Model(
        x, {"h1": layers.Dense(2, name="h1")(trunk), "h2": layers.Dense(2, name="h2")(trunk)}
    )


@keras_case({"*/forgotten": UNUSED})
def weight_that_its_layer_forgets():
    x = features()
    return keras.Model(x, layers.Dense(2, name="head")(Forgetful(name="forgetful")(x)))


@keras_case({}, exported={"*/sometimes": UNUSED})
def weight_that_is_used_in_training_alone():
    x = features()
    return keras.Model(x, layers.Dense(2, name="head")(OnlyInTraining(name="moody")(x)))


@keras_case({})
def loss_computed_in_a_layer():
    x, target = features(), features(2, "target")
    return keras.Model([x, target], LossLayer(name="loss")(layers.Dense(2, name="head")(x), target))


@keras_case({"*": cut("GF202", "Round", at="Round")})
def loss_in_a_layer_of_rounded_predictions():
    x, target = features(), features(2, "target")
    predicted = ops.round(layers.Dense(2, name="head")(x))
    return keras.Model([x, target], LossLayer(name="loss")(predicted, target))


@keras_case({"d*/*": cut("GF201", "StopGradient")})
def many_weights_behind_one_cut():
    x = features()
    hidden = x
    for number in range(6):
        hidden = layers.Dense(4, name=f"d{number}")(hidden)
    return keras.Model(x, layers.Dense(2, name="head")(ops.stop_gradient(hidden)))


@keras_case({"query/*": cut("GF202", "TopKV2")})
def rows_chosen_by_top_k():
    x = features()
    scores = layers.Dense(5, name="query")(x)
    chosen = ops.top_k(scores, 2)[1]
    return keras.Model(
        x,
        layers.Dense(2, name="head")(layers.Flatten()(layers.Embedding(5, 3, name="rows")(chosen))),
    )
