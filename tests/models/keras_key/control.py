"""Keras models with control flow: a Keras file is stepped eagerly, an exported one as a
function."""

from __future__ import annotations

import keras
from keras import layers

from tests.models.functions.case import Truth, cut, valued
from tests.models.functions.control_flow import IF
from tests.models.keras_key.case import keras_case
from tests.models.keras_key.cuts import features
from tests.models.keras_key.layers import Chooser, Looped, StoppingCell

_BODY = "while.*/body/.*StopGradient"


@keras_case(
    {
        "head/*": Truth("flows"),
        "*/kernel": cut("GF201", "StopGradient", at=_BODY, layer="recurrent|cell"),
    },
    exported={
        "head/*": Truth("flows"),
        "*/kernel": cut("GF302", "StopGradient", verdict="zero", at=_BODY, layer="recurrent|cell"),
    },
)
def cell_that_stops_the_gradient():
    x = keras.Input((5, 4), name="x")
    hidden = layers.RNN(StoppingCell(3, name="cell"), name="recurrent")(x)
    return keras.Model(x, layers.Dense(2, use_bias=False, name="head")(hidden))


@keras_case(
    {
        "*/left": Truth(
            "none", frozenset({("GF302", IF)}), 0, layer="chooser", says=("else", "Greater")
        )
    },
    exported={"*/left": valued("GF302", IF, layer="chooser", says=("else", "Greater"))},
)
def way_not_taken():
    x = features()
    return keras.Model(x, layers.Dense(2, name="head")(Chooser(name="chooser")(x)))


@keras_case(
    {"*/shift": cut("GF201", "StopGradient", at=_BODY, layer="looped")},
    exported={"*/shift": cut("GF302", "StopGradient", verdict="zero", at=_BODY, layer="looped")},
)
def loop_that_stops_the_gradient():
    x = features()
    return keras.Model(x, layers.Dense(2, name="head")(Looped(name="looped")(x)))


@keras_case({})
def recurrent_layers_of_all_kinds():
    x = keras.Input((5, 4), name="x")
    hidden = layers.LSTM(3, return_sequences=True, name="lstm")(x)
    hidden = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both_ways")(hidden)
    hidden = layers.SimpleRNN(3, name="simple")(hidden)
    return keras.Model(x, layers.Dense(2, name="head")(hidden))


@keras_case({"lstm/*/recurrent_kernel": valued("GF303", "MatMul", layer="lstm")})
def lstm_of_one_time_step():
    x = keras.Input((1, 4), name="x")
    return keras.Model(x, layers.Dense(2, name="head")(layers.LSTM(3, name="lstm")(x)))


@keras_case({})
def masked_recurrent_layer():
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    hidden = layers.Embedding(6, 4, mask_zero=True, name="words")(tokens)
    return keras.Model(tokens, layers.Dense(2, name="head")(layers.LSTM(3, name="lstm")(hidden)))
