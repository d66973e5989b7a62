"""Keras models with a unit that is off because of what comes before it, and the same once that is
mended."""

from __future__ import annotations

from typing import Any

import keras

L = keras.layers


def _head(x: Any, hidden: Any) -> Any:
    return keras.Model(x, L.Dense(2, name="head")(L.Flatten()(hidden)))


def kernel_of_zeros(*, mended: bool) -> Any:
    x = keras.Input((4,))
    drawn = "glorot_uniform" if mended else "zeros"
    hidden = L.Dense(6, "relu", kernel_initializer=drawn, name="first")(x)
    return _head(x, L.Dense(6, "relu", name="second")(hidden))


def two_kernels_of_zeros(*, mended: bool) -> Any:
    x = hidden = keras.Input((4,))
    for name in ("first", "second"):
        drawn = "glorot_uniform" if mended else "zeros"
        hidden = L.Dense(6, "relu", kernel_initializer=drawn, name=name)(hidden)
    return _head(x, hidden)


def scale_of_zeros(*, mended: bool) -> Any:
    x = keras.Input((4,))
    normal = L.BatchNormalization(gamma_initializer="ones" if mended else "zeros", name="norm")
    return _head(x, L.ReLU()(normal(L.Dense(6, use_bias=False, name="first")(x))))


def normalization_over_one_value(*, mended: bool) -> Any:
    x = keras.Input((4,))
    hidden = L.Dense(6, name="first")(x)
    return _head(x, L.ReLU()(L.GroupNormalization(2 if mended else 6, name="norm")(hidden)))


def normalization_of_one_feature(*, mended: bool) -> Any:
    x = keras.Input((4,))
    normal = L.LayerNormalization(name="norm")(L.Dense(5 if mended else 1, name="first")(x))
    return _head(x, L.Dense(6, "relu", name="second")(normal))


@keras.saving.register_keras_serializable("roots")
class Zeros(L.Layer):
    """Gives a constant 0, whatever comes in."""

    def call(self, x: Any) -> Any:
        return keras.ops.zeros((4, 4))


def constant_of_zeros(*, mended: bool) -> Any:
    x = keras.Input((4,))
    state = x if mended else Zeros(name="state")(x)
    return _head(x, L.Dense(6, "relu", name="first")(state))


def unit_off_behind_a_normalization_over_one_value(*, mended: bool) -> Any:
    """Either of the two alone does not help."""
    x = keras.Input((4,))
    hidden = L.Dense(6, name="first")(x)
    beta = keras.initializers.Constant(0.1 if mended else -9.0)
    normal = L.GroupNormalization(2 if mended else 6, beta_initializer=beta, name="norm")
    return _head(x, L.ReLU()(normal(hidden)))


def slope_of_a_side_that_nothing_is_on() -> Any:
    """What comes out of a sigmoid is never negative."""
    x = keras.Input((4,))
    return _head(x, L.PReLU(name="slope")(L.Dense(6, "sigmoid", name="first")(x)))
