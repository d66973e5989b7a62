"""Tensors of which only some entries go on to where the gradient comes from."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, Truth, case, valued

STOPPED = Truth("zero", frozenset({("GF201", "StopGradient")}), 1)


@case(a=FLOWS, b=FLOWS, c=STOPPED)
def joined_split_again_and_one_part_stopped(x, v):
    first, last = tf.split(tf.concat([x * v["a"], x * v["c"]], 1), 2, 1)
    return first + tf.stop_gradient(last) + v["b"]


@case(a=FLOWS, b=STOPPED)
def packed_unpacked_and_one_row_stopped(x, v):
    first, last = tf.unstack(tf.tanh(tf.stack([x * v["a"], x * v["b"]])))
    return first + tf.stop_gradient(last)


@case(a=FLOWS, b=STOPPED)
def padded_sliced_and_stopped(x, v):
    joined = tf.pad(tf.concat([x * v["a"], x * v["b"]], 1), [[0, 0], [1, 1]])
    return joined[:, 1:4] * 2.0 + tf.stop_gradient(joined[:, 4:7])


@case(a=STOPPED, b=FLOWS)
def columns_gathered_and_stopped(x, v):
    joined = tf.concat([v["a"], v["b"]], 0)
    return x * tf.gather(joined, [5, 4, 3]) + tf.stop_gradient(tf.gather(joined, [0, 1, 2]))


@case(a=FLOWS, b=valued("GF303", "Relu"))
def one_part_dies_behind_a_join(x, v):
    first, last = tf.split(tf.transpose(tf.concat([x * v["a"], x * v["b"]], 1)), 2)
    return tf.transpose(first + tf.nn.relu(-tf.abs(last) - 1.0))


@case(a=FLOWS, b=STOPPED)
def a_shape_is_joined_of_integers(x, v):
    """Integers are joined too, and say nothing of where numbers go."""
    rows = tf.shape(x)[0]
    joined = tf.concat([x * v["a"], x * v["b"]], 1)
    first, last = tf.split(tf.reshape(joined, tf.stack([rows, 6])), 2, 1)
    return first + tf.stop_gradient(last)
