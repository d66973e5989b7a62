"""``tf.custom_gradient``: what it returns, what it returns None for, and variables inside."""

from __future__ import annotations

from dataclasses import replace

import tensorflow as tf

from tests.models.functions.case import FLOWS, Truth, case, cut, valued


@case(a=FLOWS, b=FLOWS, c=FLOWS)
def straight_through(x, v):
    @tf.custom_gradient
    def rounded_straight(y):
        return tf.round(y), lambda upstream: upstream

    return rounded_straight(x * v["a"]) + x * v["b"] * v["c"]


@case(a=FLOWS, b=FLOWS)
def straight_through_by_stop_gradient(x, v):
    return x * v["a"] + v["b"] + tf.stop_gradient(tf.round(v["b"]) - v["b"])


@case(a=FLOWS, b=FLOWS)
def reversal(x, v):
    @tf.custom_gradient
    def reversed_gradient(y):
        return y, lambda upstream: -upstream

    return x * v["a"] + reversed_gradient(x * v["b"])


@case(a=FLOWS, b=cut("GF205", "IdentityN"))
def custom_gradient_of_none(x, v):
    @tf.custom_gradient
    def blocked(y):
        return 2.0 * y, lambda _: None

    return x * v["a"] + blocked(x * v["b"])


@case(a=FLOWS, b=FLOWS, c=cut("GF205", "IdentityN"))
def custom_gradient_of_one_argument(x, v):
    @tf.custom_gradient
    def product(y, z):
        return y * z, lambda upstream: (upstream, None)

    return x * v["a"] + product(x * v["b"], x * v["c"])


@case(a=FLOWS, b=FLOWS, c=cut("GF205", "IdentityN"), d=FLOWS)
def custom_gradient_of_the_middle_argument(x, v):
    @tf.custom_gradient
    def product(y, z, w):
        return y * z * w, lambda upstream: (upstream, None, upstream)

    return x * v["a"] + product(v["b"], v["c"], v["d"])


@case(a=FLOWS, b=FLOWS, c=FLOWS)
def custom_gradient_of_two_results(x, v):
    @tf.custom_gradient
    def both(y, z):
        return (y + z, y * z), lambda first, second: (first, second)

    plus, times = both(v["b"], v["c"])
    return x * v["a"] + plus + times


@case(a=FLOWS, b=cut("GF205", "IdentityN", at="IdentityN$"), c=FLOWS)
def custom_gradients_in_a_row(x, v):
    @tf.custom_gradient
    def blocked(y):
        return 2.0 * y, lambda _: None

    @tf.custom_gradient
    def straight(y):
        return tf.round(y), lambda upstream: upstream

    return x * v["a"] + straight(blocked(v["b"]) + v["c"])


@case(a=FLOWS, b=cut("GF205", "IdentityN", cuts=2))
def custom_gradient_of_none_behind_a_stop_gradient(x, v):
    @tf.custom_gradient
    def blocked(y):
        return 2.0 * y, lambda _: None

    return x * v["a"] + blocked(tf.stop_gradient(v["b"]) * 3.0)


@case(a=FLOWS, b=replace(valued("GF303", "IdentityN"), static="unknown"))
def custom_gradient_of_zeros(x, v):
    @tf.custom_gradient
    def silent(y):
        return 2.0 * y, lambda upstream: tf.zeros_like(upstream)

    return x * v["a"] + silent(v["b"])


@case(a=FLOWS, b=FLOWS)
def variable_inside_a_custom_gradient(x, v):
    @tf.custom_gradient
    def scaled(y):
        def gradient(upstream, variables=()):
            return upstream, [tf.ones_like(variable) for variable in variables]

        return y * v["a"], gradient

    return scaled(x * v["b"])


@case(a=cut("GF205", "IdentityN"), b=FLOWS)
def variable_inside_a_custom_gradient_of_none(x, v):
    @tf.custom_gradient
    def scaled(y):
        def gradient(upstream, variables=()):
            return upstream, [None for _ in variables]

        return y * v["a"], gradient

    return scaled(x * v["b"])


@case(a=FLOWS, b=cut("GF205", "IdentityN"), c=FLOWS)
def one_of_two_variables_inside_a_custom_gradient(x, v):
    @tf.custom_gradient
    def scaled(y):
        def gradient(upstream, variables=()):
            return upstream, [
                tf.ones_like(variable) if variable.name.startswith("a") else None
                for variable in variables
            ]

        return y * v["a"] + v["b"], gradient

    return scaled(x * v["c"])


@case(a=FLOWS, b=FLOWS)
def recomputed(x, v):
    again = tf.recompute_grad(lambda y: tf.tanh(y * 2.0))
    return x * v["a"] + again(v["b"])


@case(a=FLOWS, b=FLOWS)
def custom_gradient_in_a_function(x, v):
    @tf.custom_gradient
    def straight(y):
        return tf.round(y), lambda upstream: upstream

    @tf.function
    def called(y):
        return straight(y)

    return x * v["a"] + called(v["b"])


@case(a=FLOWS, b=cut("GF205", "IdentityN"))
def custom_gradient_of_none_in_a_function(x, v):
    @tf.custom_gradient
    def blocked(y):
        return 2.0 * y, lambda _: None

    @tf.function
    def called(y):
        return blocked(y)

    return x * v["a"] + called(v["b"])


@case(a=FLOWS, b=FLOWS)
def custom_gradient_in_a_loop(x, v):
    @tf.custom_gradient
    def straight(y):
        return tf.round(y), lambda upstream: upstream

    def body(step, y):
        return step + 1, y * v["a"] + straight(v["b"])

    return tf.while_loop(lambda step, _: step < 2, body, (0, x))[1]


@case(a=FLOWS, b=Truth("flows", static="zero"), c=FLOWS)
def custom_gradient_that_ignores_the_zeros_it_is_given(x, v):
    """Nobody reads the second output of IdentityN, so it is given zeros, and ones are made of
    them."""

    @tf.custom_gradient
    def constant(y):
        def gradient(upstream, variables=()):
            return upstream, [tf.ones_like(variable) for variable in variables]

        return y * v["b"], gradient

    both = tf.raw_ops.IdentityN(input=[v["a"] + 0.0, constant(v["c"] + 0.0)])
    return x * both[0] + v["c"]


STOPPED = Truth("zero", frozenset({("GF201", "StopGradient")}), 1)


@case(a=STOPPED, b=STOPPED, c=FLOWS)
def stop_gradient_in_what_is_recomputed(x, v):
    """``keras.remat`` is the same function."""

    def stopped(y):
        return tf.stop_gradient(tf.tanh(y * v["a"])) + v["c"]

    return tf.recompute_grad(stopped)(x * v["b"])


@case(a=FLOWS, b=FLOWS, c=FLOWS)
def recomputed_twice_over(x, v):
    inner = tf.recompute_grad(lambda y: tf.tanh(y * v["a"]))
    return tf.recompute_grad(lambda y: inner(y) * v["c"])(x * v["b"])


@case(a=valued("GF303", "Relu"), b=FLOWS, c=valued("GF303", "Relu"))
def dead_unit_in_what_is_recomputed(x, v):
    dead = tf.recompute_grad(lambda y: tf.nn.relu(-tf.abs(y * v["a"]) - 1.0))
    return dead(x * v["c"]) + v["b"]


@case(a=FLOWS, b=STOPPED, c=FLOWS)
def recomputed_with_two_results(x, v):
    def both(y, z):
        return tf.tanh(y) * v["c"], tf.stop_gradient(z) + y

    first, second = tf.recompute_grad(both)(x * v["a"], x * v["b"])
    return first + second


@case(a=FLOWS, b=cut("GF205", "IdentityN"), c=FLOWS)
def recomputed_from_a_tensor_outside(x, v):
    """What comes in by no argument gets nothing."""
    outside = x * v["b"]
    return tf.recompute_grad(lambda y: tf.tanh(y) * outside * v["c"])(x * v["a"])


@case(a=replace(STOPPED, static="unknown"), b=replace(STOPPED, static="unknown"), c=FLOWS)
def recomputed_beside_the_input(x, v):
    """What comes from outside, and from no weight, needs no gradient."""

    def stopped(y):
        return tf.stop_gradient(tf.tanh(y * v["a"])) * x + v["c"]

    return tf.recompute_grad(stopped)(x * v["b"])
