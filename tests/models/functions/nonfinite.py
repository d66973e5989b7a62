"""Gradients that are NaN or infinite: the first op, in backward order, that makes them so."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, Truth, case, valued

NOUGHT = [0.0, 0.0, 0.0]
ONES = [1.0, 1.0, 1.0]


def broken(op_type: str, **details: object) -> Truth:
    return valued("GF304", op_type, verdict="nonfinite", **details)


@case({"b": NOUGHT}, a=FLOWS, b=broken("Sqrt", says=("Sqrt",)))
def sqrt_at_zero(x, v):
    return x * v["a"] + tf.sqrt(v["b"])


@case({"b": [-1.0, -2.0, -3.0]}, a=FLOWS, b=broken("Sqrt"))
def sqrt_of_a_negative_number(x, v):
    return x * v["a"] + tf.sqrt(v["b"])


@case({"b": NOUGHT}, a=FLOWS, b=broken("Sqrt"))
def norm_at_zero(x, v):
    return x * v["a"] + tf.norm(v["b"])


@case({"b": NOUGHT}, a=FLOWS, b=broken("Sqrt"))
def deviation_of_equal_numbers(x, v):
    return x * v["a"] + tf.math.reduce_std(v["b"])


@case({"b": NOUGHT}, a=FLOWS, b=broken("Rsqrt"))
def rsqrt_at_zero(x, v):
    return x * v["a"] + tf.math.rsqrt(v["b"])


@case({"b": NOUGHT}, a=FLOWS, b=FLOWS)
def safely_normalised_at_zero(x, v):
    return x * v["a"] + tf.nn.l2_normalize(v["b"])


@case({"b": NOUGHT}, a=FLOWS, b=FLOWS)
def clipped_by_norm_at_zero(x, v):
    return x * v["a"] + tf.clip_by_norm(v["b"], 1.0)


@case({"b": NOUGHT}, a=FLOWS, b=broken("Log"))
def log_of_zero(x, v):
    return x * v["a"] + tf.math.log(v["b"])


@case({"b": NOUGHT}, a=FLOWS, b=broken("Log"))
def log_in_the_unselected_side(x, v):
    return x * v["a"] + tf.where(v["b"] > 0.0, tf.math.log(v["b"]), 0.0)


@case({"b": NOUGHT}, a=FLOWS, b=broken("Pow"))
def pow_in_the_unselected_side(x, v):
    return x * v["a"] + tf.where(v["b"] > 0.0, tf.pow(v["b"], 0.5), 0.0)


@case({"b": NOUGHT}, a=FLOWS, b=broken("RealDiv|Reciprocal"))
def division_in_the_unselected_side(x, v):
    return x * v["a"] + tf.where(v["b"] > 0.0, 1.0 / v["b"], 0.0)


@case({"b": NOUGHT, "c": NOUGHT}, a=FLOWS, b=broken("RealDiv"), c=broken("RealDiv"))
def nought_divided_by_nought(x, v):
    return x * v["a"] + v["b"] / v["c"]


@case({"b": NOUGHT}, a=FLOWS, b=FLOWS)
def division_without_nan(x, v):
    return x * v["a"] + v["b"] + tf.math.divide_no_nan(1.0, v["b"])


@case({"b": ONES}, a=FLOWS, b=broken("Exp"))
def overflowing_exponential(x, v):
    return x * v["a"] + tf.exp(1000.0 * v["b"])


@case({"b": ONES}, a=FLOWS, b=broken("Exp"))
def overflow_far_from_the_weight(x, v):
    return x * v["a"] + tf.tanh(1.0 / tf.exp(tf.sin(v["b"]) * 1000.0))


@case({"b": [0.0, 0.0, 1000.0]}, a=FLOWS, b=broken("Log"))
def log_of_an_underflowing_softmax(x, v):
    return x * v["a"] + tf.math.log(tf.nn.softmax(v["b"]))


@case({"b": NOUGHT}, a=FLOWS, b=broken("Sqrt"), c=broken("Sqrt"))
def every_weight_below_it(x, v):
    length = tf.sqrt(tf.reduce_sum(tf.square(v["b"] * v["c"])))
    return x * v["a"] + length


@case({"b": NOUGHT}, a=FLOWS, b=broken("Sqrt", at="^later$"))
def two_square_roots_at_zero(x, v):
    """In backward order the later one comes first."""
    return x * v["a"] + tf.sqrt(tf.sqrt(v["b"], name="earlier") * 2.0, name="later")


@case({"b": ONES}, a=FLOWS, b=broken("Acos"))
def arc_cosine_at_one(x, v):
    return x * v["a"] + tf.acos(v["b"])


@case({"b": NOUGHT}, a=FLOWS, b=broken("Sqrt", at="body/"))
def sqrt_at_zero_in_a_loop(x, v):
    def body(step, y):
        return step + 1, y * v["a"] + tf.sqrt(v["b"])

    return tf.while_loop(lambda step, _: step < 2, body, (0, x))[1]


@case({"b": NOUGHT}, a=FLOWS, b=broken("Sqrt", at="then/"))
def sqrt_at_zero_in_a_branch(x, v):
    return tf.cond(tf.reduce_sum(x) > -1e9, lambda: x * v["a"] + tf.sqrt(v["b"]), lambda: x)


@case({"b": tf.constant([300.0, 400.0, 500.0], tf.float16)}, a=FLOWS, b=broken("Mul|Square|Cast"))
def float16_overflow(x, v):
    large = v["b"] * tf.constant(6e4, tf.float16) * tf.constant(6e4, tf.float16)
    return x * v["a"] + tf.cast(large, tf.float32)
