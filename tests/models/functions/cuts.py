"""Plain cuts: StopGradient, ops without a slope, and variables that nothing uses."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, UNUSED, Truth, case, cut


@case(a=FLOWS, b=cut("GF201", "StopGradient"))
def stop_gradient(x, v):
    return x * v["a"] + tf.stop_gradient(v["b"])


@case(a=FLOWS, b=FLOWS)
def stop_gradient_on_one_of_two_paths(x, v):
    return x * v["a"] + tf.stop_gradient(v["b"]) + v["b"]


@case(a=FLOWS, b=cut("GF202", "Round"))
def rounded(x, v):
    return x * v["a"] + tf.round(v["b"])


@case(a=cut("GF202", "Round"), b=cut("GF202", "Round"))
def the_whole_output_rounded(x, v):
    return tf.round(x * v["a"] + v["b"])


@case(a=cut("GF202", "Floor"), b=cut("GF202", "Floor"))
def a_floored_sigmoid(x, v):
    return tf.floor(tf.sigmoid(x * v["a"] + v["b"]) + 0.5)


@case(a=FLOWS, b=cut("GF202", "Rint"))
def rint(x, v):
    return x * v["a"] + tf.math.rint(v["b"])


@case(a=FLOWS, b=cut("GF202", "Ceil"))
def ceiled(x, v):
    return x * v["a"] + tf.math.ceil(v["b"])


@case(a=FLOWS, b=cut("GF202", "FloorDiv"), c=cut("GF202", "FloorDiv"))
def floor_divided(x, v):
    return x * v["a"] + v["b"] // v["c"]


@case(a=FLOWS, b=FLOWS, c=FLOWS)
def modulo(x, v):
    return x * v["a"] + tf.math.floormod(10.0 * v["b"], tf.abs(v["c"]) + 0.1)


@case(a=FLOWS, b=cut("GF202", "OneHot"))
def height_of_a_one_hot(x, v):
    return x * v["a"] + tf.one_hot(1, 3, on_value=v["b"][0])


@case(a=FLOWS, b=cut("GF202", "Range"))
def limit_of_a_range(x, v):
    return x * v["a"] + tf.reduce_sum(tf.range(0.0, tf.reduce_sum(tf.abs(v["b"])) + 1.0))


@case(a=FLOWS, b=cut("GF202", "Round", cuts=2))
def two_cuts_in_a_row(x, v):
    return x * v["a"] + tf.round(2.0 * tf.stop_gradient(v["b"]))


@case(a=FLOWS, b=Truth("none", frozenset({("GF202", "Round"), ("GF201", "StopGradient")}), 1))
def two_cuts_side_by_side(x, v):
    return x * v["a"] + tf.round(v["b"]) + tf.stop_gradient(v["b"])


@case(a=FLOWS, b=UNUSED)
def unused(x, v):
    return x * v["a"]


@case(a=FLOWS, b=UNUSED)
def only_a_static_shape(x, v):
    return x * v["a"] + tf.cast(tf.size(v["b"]), tf.float32)


@case(a=FLOWS, b=Truth("zero", frozenset({("GF206", None)}), None))
def unused_output_of_a_function(x, v):
    @tf.function
    def both(y):
        return y * v["a"], y * v["b"]

    return both(x)[0]


@case(a=FLOWS, b=cut("GF201", "StopGradient"))
def one_function_called_twice(x, v):
    @tf.function
    def scaled(y):
        return 2.0 * y

    return scaled(x * v["a"]) + tf.stop_gradient(scaled(v["b"]))


@case(a=FLOWS, b=cut("GF201", "StopGradient"))
def stop_gradient_in_a_function(x, v):
    @tf.function
    def held(y):
        return tf.stop_gradient(y)

    return x * v["a"] + held(v["b"])


@case(a=FLOWS, b=FLOWS)
def a_real_part_of_a_complex_product(x, v):
    turned = tf.complex(v["b"], x[0]) * tf.complex(1.0, 2.0)
    return x * v["a"] + tf.math.real(turned) + tf.abs(turned)


@case(a=FLOWS, b=FLOWS)
def embedding_rows_that_are_looked_up(x, v):
    table = tf.reshape(v["b"], [3, 1])
    return x * v["a"] + tf.gather(table, [0, 2, 0])[:, 0]


@case(
    a=Truth("none", frozenset({("GF201", "StopGradient"), ("GF301", "Sign")}), 2),
    b=FLOWS,
)
def stopped_behind_a_sign(x, v):
    """The Sign is the border of what is not zero, and the stop makes it None: each has to go."""
    return tf.sign(tf.stop_gradient(x * v["a"]) * 2.0) + x * v["b"]


@case(a=Truth("none", frozenset({("GF202", "Round"), ("GF301", "Sign")}), 3), b=FLOWS)
def rounded_behind_two_signs(x, v):
    return tf.sign(tf.sign(tf.round(x * v["a"])) * 2.0) + x * v["b"]


@case(a=FLOWS, b=cut("GF201", "StopGradient"), c=cut("GF201", "StopGradient"))
def one_cut_in_a_function_called_three_times(x, v):
    scaled = tf.function(lambda t, factor: tf.stop_gradient(t) * factor, autograph=False)
    return scaled(scaled(scaled(x * v["c"], v["a"]), v["b"]), v["a"])


@case(a=FLOWS, c=cut("GF202", "Cast", cuts=1))
def one_passage_in_a_function_called_twice(x, v):
    quantised = tf.function(
        lambda t, factor: tf.cast(tf.cast(t * 8.0, tf.int32), tf.float32) * factor, autograph=False
    )
    return quantised(quantised(x * v["c"], v["a"]), v["a"])


@case(a=FLOWS, c=Truth("none", frozenset({("GF201", "StopGradient")}), 2))
def one_cut_called_twice_and_another_one(x, v):
    stopped = tf.function(lambda t: tf.stop_gradient(t) * 2.0, autograph=False)
    return stopped(tf.round(stopped(x * v["c"]))) + x * v["a"]
