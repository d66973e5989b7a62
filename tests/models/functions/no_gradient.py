"""Ops for which TensorFlow raises LookupError, that forbid a gradient, or that leave TensorFlow."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.models.functions.case import FLOWS, Truth, case, cut


@case(a=FLOWS, b=cut("GF203", "Unique"))
def op_without_a_gradient(x, v):
    return x * v["a"] + tf.reduce_sum(tf.unique(v["b"])[0])


@case(a=FLOWS, b=cut("GF203", "Unique"), c=cut("GF203", "Mod"), d=cut("GF201", "StopGradient"))
def several_ops_without_a_gradient(x, v):
    remainder = tf.raw_ops.Mod(x=v["c"], y=[0.3, 0.3, 0.3])
    return x * v["a"] + tf.reduce_sum(tf.unique(v["b"])[0]) + remainder + tf.stop_gradient(v["d"])


@case(a=FLOWS, b=cut("GF203", "Bitcast"))
def bitcast_that_stays_floating(x, v):
    return x * v["a"] + tf.cast(tf.bitcast(v["b"], tf.bfloat16)[:, 1], tf.float32)


@case(a=FLOWS, b=cut("GF203", "ResizeArea"))
def resized_by_area(x, v):
    image = tf.reshape(v["b"], [1, 1, 3, 1])
    return x * v["a"] + tf.reduce_sum(tf.image.resize(image, [1, 2], method="area"))


@case(a=FLOWS, b=cut("GF202", "QuantizeV2", raises=frozenset({"GF203"})))
def quantized_and_back(x, v):
    codes = tf.quantization.quantize(tf.ones([3]), tf.reduce_min(v["b"]) - 1.0, 2.0, tf.quint8)
    return x * v["a"] + tf.quantization.dequantize(*codes)


@case(a=FLOWS, b=cut("GF203", "Unique", verdict="zero", at="/body/"))
def op_without_a_gradient_in_a_loop(x, v):
    def body(step, y):
        return step + 1, y * v["a"] + tf.reduce_sum(tf.unique(v["b"])[0])

    return tf.while_loop(lambda step, _: step < 3, body, (0, x))[1]


@case(a=FLOWS, b=cut("GF203", "Unique", at="/then/"))
def op_without_a_gradient_in_a_branch(x, v):
    def branch():
        return x * v["a"] + tf.reduce_sum(tf.unique(v["b"])[0])

    return tf.cond(tf.reduce_sum(x) > -1e9, branch, lambda: x * v["a"])


@case(a=FLOWS, b=cut("GF207", "PreventGradient"))
def gradient_disabled(x, v):
    return x * v["a"] + tf.raw_ops.PreventGradient(input=v["b"], message="not here")


@case(a=FLOWS, b=cut("GF207", "PreventGradient", verdict="zero", at="/body/"))
def gradient_disabled_in_a_loop(x, v):
    def body(step, y):
        return step + 1, y * v["a"] + tf.raw_ops.PreventGradient(input=v["b"], message="not here")

    return tf.while_loop(lambda step, _: step < 3, body, (0, x))[1]


RAISES = Truth("flows", frozenset({("GF203", "Unique")}), says=("LookupError",))
"""What flows by another way, and of which a training step never hears: it raises an error."""


@case(a=FLOWS, b=RAISES)
def open_way_beside_an_op_without_a_gradient(x, v):
    return x * v["a"] + tf.reduce_sum(tf.unique(v["b"])[0]) + v["b"]


@case(a=FLOWS, b=Truth("flows", frozenset({("GF207", "PreventGradient")}), says=("forbidden",)))
def open_way_beside_a_disabled_gradient(x, v):
    return x * v["a"] + tf.raw_ops.PreventGradient(input=v["b"], message="not here") + v["b"]


@case(a=FLOWS, b=RAISES)
def open_way_beside_an_untaken_branch_that_raises(x, v):
    def branch():
        return v["b"] + tf.reduce_sum(tf.unique(v["b"])[0])

    return x * v["a"] + tf.cond(tf.reduce_sum(x) > 1e9, branch, lambda: tf.identity(v["b"]))


@case(a=FLOWS, b=RAISES)
def open_way_beside_a_loop_that_raises(x, v):
    def body(step, y):
        return step + 1, y * v["a"] + v["b"] + tf.reduce_sum(tf.unique(v["b"])[0])

    return tf.while_loop(lambda step, _: step < 3, body, (0, x))[1]


@case(a=FLOWS, b=RAISES)
def unread_result_of_a_function_that_raises(x, v):
    inner = tf.function(lambda y: (2.0 * y, tf.unique(y)[0]))
    return x * v["a"] + inner(v["b"])[0]


@case(a=FLOWS, b=FLOWS, c=cut("GF201", "StopGradient", cuts=2))
def raising_op_that_gets_no_gradient(x, v):
    stopped = tf.stop_gradient(tf.reduce_sum(tf.unique(v["b"] * v["c"])[0]))
    return x * v["a"] + stopped + v["b"] + tf.reduce_sum(tf.unique(tf.stop_gradient([1.0]))[0])


@case(a=FLOWS, b=FLOWS)
def a_checked_number(x, v):
    return x * v["a"] + tf.debugging.check_numerics(v["b"], "not finite")


@case(a=FLOWS, b=cut("GF208", "PyFunc(Stateless)?"))
def computed_by_numpy(x, v):
    computed = tf.numpy_function(np.tanh, [v["b"]], tf.float32)
    return x * v["a"] + tf.reshape(computed, [3])


@case(a=cut("GF208", "PyFunc(Stateless)?"), b=FLOWS)
def computed_by_numpy_in_the_first_layer(x, v):
    computed = tf.numpy_function(np.tanh, [x * v["a"]], tf.float32)
    return tf.reshape(computed, [-1, 3]) * v["b"]


@case(a=FLOWS, b=FLOWS)
def computed_by_python_on_a_tape(x, v):
    computed = tf.py_function(tf.tanh, [v["b"]], tf.float32)
    return x * v["a"] + tf.reshape(computed, [3])


@case(a=FLOWS, b=cut("GF208", "PyFunc(Stateless)?"), c=cut("GF201", "StopGradient"), d=FLOWS)
def numpy_beside_other_causes(x, v):
    computed = tf.numpy_function(np.tanh, [v["b"]], tf.float32)
    return x * v["a"] + tf.reshape(computed, [3]) + tf.stop_gradient(v["c"]) + v["d"]


@case(
    a=FLOWS,
    b=Truth("none", frozenset({("GF203", "Unique"), ("GF207", "PreventGradient")}), 1),
)
def two_kinds_of_lookup_error(x, v):
    allowed = tf.raw_ops.PreventGradient(input=v["b"], message="not here")
    return x * v["a"] + tf.reduce_sum(tf.unique(v["b"])[0]) + allowed
