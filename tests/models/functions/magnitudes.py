"""Gradients that are tiny or huge beside the others of the model."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, Truth, case

VANISHING = Truth("flows", frozenset({("GF305", ".*")}))
EXPLODING = Truth("flows", frozenset({("GF306", ".*")}))


@case(a=FLOWS, b=VANISHING, c=FLOWS, d=FLOWS)
def vanishing(x, v):
    return x * v["a"] + x * v["c"] + x * v["d"] + 1e-12 * (x * v["b"])


@case(a=FLOWS, b=EXPLODING, c=FLOWS, d=FLOWS)
def exploding(x, v):
    return x * v["a"] + x * v["c"] + x * v["d"] + 1e12 * (x * v["b"])


@case(a=FLOWS, b=FLOWS, c=FLOWS, d=FLOWS)
def a_hundred_times_smaller(x, v):
    return x * v["a"] + x * v["c"] + x * v["d"] + 1e-2 * (x * v["b"])


@case(a=FLOWS, b=FLOWS, c=FLOWS, d=FLOWS)
def all_equally_tiny(x, v):
    return 1e-12 * (x * v["a"] + x * v["b"] + x * v["c"] + x * v["d"])


def half(*values: float) -> tf.Tensor:
    return tf.constant(values, tf.float16)


_HALVES = {"a": half(0.5, 1, 2), "b": half(1, 2, 3), "c": half(2, 1, 3), "d": half(1, 0.5, 3)}


@case(_HALVES, a=FLOWS, b=VANISHING, c=FLOWS, d=FLOWS)
def vanishing_in_float16(x, v):
    y = tf.cast(x, tf.float16)
    small = tf.constant(1.2e-7, tf.float16)
    return tf.cast(y * v["a"] + y * v["c"] + y * v["d"], tf.float32) + tf.cast(
        small * v["b"], tf.float32
    )


@case(_HALVES, a=FLOWS, b=EXPLODING, c=FLOWS, d=FLOWS)
def exploding_in_float16(x, v):
    small, large = tf.constant(1e-3, tf.float16), tf.constant(5e3, tf.float16)
    y = tf.cast(x, tf.float16) * small
    return tf.cast(y * v["a"] + y * v["c"] + y * v["d"], tf.float32) + tf.cast(
        large * v["b"], tf.float32
    )
