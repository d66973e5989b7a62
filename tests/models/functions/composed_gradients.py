"""Custom gradients beside and inside each other, and what gradflow must say about their
variables."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, case, cut

NONE = cut("GF205", "IdentityN")
NONE_INSIDE = cut("GF302", "IdentityN", verdict="zero")
"""A None inside a loop becomes zeros."""


@tf.custom_gradient
def blocked(y):
    return 2.0 * y, lambda _: None


@tf.custom_gradient
def reversed_gradient(y):
    return tf.identity(y), lambda upstream: -upstream


@tf.custom_gradient
def straight(y):
    return tf.round(y), lambda upstream: upstream


@tf.custom_gradient
def second_alone(y, z):
    return y + z, lambda upstream: (None, upstream)


@case(a=FLOWS, b=FLOWS, c=NONE)
def each_kind(x, v):
    return straight(x * v["a"]) + reversed_gradient(x * v["b"]) + blocked(x * v["c"])


@case(a=NONE, b=FLOWS)
def none_for_the_first_argument(x, v):
    return second_alone(x * v["a"], x * v["b"])


@case(a=FLOWS, b=FLOWS)
def none_on_one_of_two_ways(x, v):
    return second_alone(x * v["a"], x * v["a"] * v["b"])


@case(a=FLOWS, b=FLOWS)
def the_same_twice(x, v):
    return straight(straight(x * v["a"])) * v["b"]


@case(a=cut("GF205", "IdentityN", cuts=2), b=FLOWS)
def two_in_a_row(x, v):
    return blocked(2.0 * blocked(x * v["a"])) + v["b"]


@case(a=FLOWS, b=FLOWS)
def a_none_inside_another_that_flows(x, v):
    @tf.custom_gradient
    def outer(y):
        return blocked(y), lambda upstream: upstream

    return outer(x * v["a"]) + v["b"]


@case(a=NONE, b=FLOWS)
def a_flow_inside_another_of_none(x, v):
    @tf.custom_gradient
    def outer(y):
        return straight(y), lambda upstream: None

    return outer(x * v["a"]) + v["b"]


@case(a=FLOWS, b=FLOWS, c=NONE)
def variables_with_and_without_a_gradient(x, v):
    @tf.custom_gradient
    def scaled(y):
        def gradient(upstream, variables=()):
            return upstream, [None if "c" in one.name else tf.ones_like(one) for one in variables]

        return y * v["b"] + v["c"], gradient

    return scaled(x * v["a"])


@case(a=NONE, b=FLOWS)
def a_variable_alone(x, v):
    @tf.custom_gradient
    def scaled(y):
        def gradient(upstream, variables=()):
            return None, [tf.ones_like(one) for one in variables]

        return y * v["b"], gradient

    return scaled(x * v["a"])


@case(a=FLOWS, b=FLOWS, c=NONE_INSIDE)
def in_a_loop(x, v):
    def body(step, y):
        return step + 1, straight(y * v["a"]) + reversed_gradient(v["b"]) + blocked(v["c"])

    return tf.while_loop(lambda step, _: step < 3, body, (0, x))[1]


@case(a=FLOWS, b=NONE)
def in_both_branches(x, v):
    return tf.cond(
        tf.reduce_sum(x) > -1e9,
        lambda: straight(x * v["a"]) + blocked(v["b"]),
        lambda: reversed_gradient(x * v["a"]) - blocked(v["b"]),
    )


@case(a=FLOWS, b=NONE)
def in_a_called_function(x, v):
    @tf.function
    def inner(y):
        return straight(y * v["a"]) + blocked(y * v["b"])

    return inner(inner(x))


@case(a=FLOWS, b=NONE)
def composed_of_two_outputs(x, v):
    @tf.custom_gradient
    def split(y, z):
        return (2.0 * y, z * 3.0), lambda first, second: (first + second, None)

    one, other = split(x * v["a"], x * v["b"])
    return one + other


@case(a=FLOWS, b=FLOWS)
def recomputed_with_a_variable(x, v):
    return tf.recompute_grad(lambda y: tf.nn.silu(y * v["b"]))(x * v["a"])
