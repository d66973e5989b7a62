"""Ragged and sparse outputs: their values count."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, UNUSED, case, cut


@case(a=FLOWS, b=FLOWS)
def ragged_output_beside_a_dense_one(x, v):
    flat = tf.reshape(x * v["a"], [-1])
    size = tf.size(flat)
    rows = tf.RaggedTensor.from_row_splits(flat, tf.stack([0, 1, size]), validate=False)
    return {"rows": rows, "y": x * v["b"]}


@case(a=FLOWS, b=FLOWS, c=UNUSED)
def sparse_output_beside_a_dense_one(x, v):
    return {"entries": tf.sparse.from_dense(x * v["a"]), "y": x * v["b"]}


@case(a=cut("GF201", "StopGradient"), b=FLOWS)
def stopped_values_of_a_sparse_output(x, v):
    return {"entries": tf.sparse.from_dense(tf.stop_gradient(x * v["a"])), "y": x * v["b"]}


@case(a=FLOWS)
def nothing_but_a_ragged_output(x, v):
    flat = tf.reshape(x * v["a"], [-1])
    splits = tf.stack([0, 2, tf.size(flat)])
    return tf.RaggedTensor.from_row_splits(flat, splits, validate=False)
