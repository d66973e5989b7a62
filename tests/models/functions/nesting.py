"""Control flow inside control flow and inside functions."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, case, cut, valued
from tests.models.functions.control_flow import IF, WHILE, always, never

NO_HANDLE_DATA = (
    "ValueError: gradients of a variable without handle data, from a loaded cond in a loop, on 2.21"
)


def repeated(trips, body, y):
    """``y`` after ``trips`` times ``body(step, y)``."""
    return tf.while_loop(
        lambda step, _: step < trips, lambda step, y: (step + 1, body(step, y)), (0, y)
    )[1]


@case(
    unloadable="gradient of a: zeros from a loaded loop in a loop, on 2.21",
    a=FLOWS,
    b=cut("GF302", "StopGradient", verdict="zero", at="body/.*while.*/body/.*StopGradient"),
)
def stop_gradient_in_a_loop_in_a_loop(x, v):
    def inner(_, y):
        return y * v["a"] + tf.stop_gradient(v["b"])

    return repeated(2, lambda _, y: repeated(2, inner, y), x)


@case(a=FLOWS, b=valued("GF302", WHILE, says=("trip",), at="body/.*while"))
def loop_without_trips_in_a_loop(x, v):
    limit = tf.cast(0.0 * tf.reduce_sum(x), tf.int32)
    return repeated(2, lambda _, y: v["a"] * repeated(limit, lambda _, z: z * v["b"], y), x)


@case(
    unloadable=NO_HANDLE_DATA,
    a=FLOWS,
    b=valued("GF302", IF, says=("then", "Greater"), at="/body/.*cond"),
)
def branch_never_taken_in_a_loop(x, v):
    def body(step, y):
        return tf.cond(step > 5, lambda: y * v["b"], lambda: y * v["a"])

    return repeated(3, body, x)


@case(unloadable=NO_HANDLE_DATA, a=FLOWS, b=FLOWS)
def branch_taken_once_in_a_loop(x, v):
    def body(step, y):
        return tf.cond(step > 1, lambda: y * v["b"], lambda: y * v["a"])

    return repeated(3, body, x)


@case(
    a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero", at="/body/.*cond.*/then/.*StopGradient")
)
def stop_gradient_in_a_branch_in_a_loop(x, v):
    def body(step, y):
        return tf.cond(step >= 0, lambda: y * v["a"] + tf.stop_gradient(v["b"]), lambda: y * v["a"])

    return repeated(3, body, x)


@case(a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero", at="/body/"))
def stop_gradient_in_both_branches_in_a_loop(x, v):
    def body(step, y):
        return tf.cond(
            step > 1,
            lambda: y * v["a"] + tf.stop_gradient(v["b"]),
            lambda: y * v["a"] + tf.stop_gradient(v["b"]),
        )

    return repeated(3, body, x)


@case(a=FLOWS, b=cut("GF302", "Greater", verdict="zero", at="/body/.*Greater"))
def variable_as_a_condition_in_a_loop(x, v):
    def body(_, y):
        return tf.cond(tf.reduce_sum(y * v["b"]) > 0.0, lambda: y * v["a"], lambda: -y * v["a"])

    return repeated(3, body, x)


@case(a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero", at="then/.*body/.*StopGradient"))
def stop_gradient_in_a_loop_in_a_branch(x, v):
    def branch():
        return repeated(2, lambda _, y: y * v["a"] + tf.stop_gradient(v["b"]), x)

    return tf.cond(always(x), branch, lambda: x * v["a"])


@case(a=FLOWS, b=valued("GF302", IF, says=("else", "Greater"), at="^cond[_0-9]*$"))
def loop_in_a_branch_not_taken(x, v):
    return tf.cond(always(x), lambda: x * v["a"], lambda: repeated(2, lambda _, y: y * v["b"], x))


@case(a=FLOWS, b=valued("GF302", IF, says=("then", "Less"), at="/cond[_0-9]*$"))
def inner_branch_not_taken(x, v):
    def branch():
        return tf.cond(never(x), lambda: x * v["b"], lambda: x * v["a"])

    return tf.cond(always(x), branch, lambda: x)


@case(a=FLOWS, b=valued("GF302", IF, says=("then", "Less"), at="^cond[_0-9]*$"))
def outer_branch_not_taken(x, v):
    def branch():
        return tf.cond(always(x), lambda: x * v["b"], lambda: x)

    return tf.cond(never(x), branch, lambda: x * v["a"])


@case(a=FLOWS, b=valued("GF302", IF, says=("then", "Less"), at="^cond_1$"))
def taken_at_first_and_ignored_by_the_next(x, v):
    first = tf.cond(always(x), lambda: x * v["b"], lambda: x)
    return tf.cond(never(x), lambda: first, lambda: x * v["a"])


@case(a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero", at="/body/.*StopGradient"))
def stop_gradient_in_a_function_in_a_loop(x, v):
    @tf.function
    def step_once(y):
        return y * v["a"] + tf.stop_gradient(v["b"])

    return repeated(3, lambda _, y: step_once(y), x)


@case(a=FLOWS, b=cut("GF201", "StopGradient", at="/then/.*StopGradient"))
def stop_gradient_in_a_function_in_a_branch(x, v):
    @tf.function
    def held(y):
        return y * v["a"] + tf.stop_gradient(v["b"])

    return tf.cond(always(x), lambda: held(x), lambda: x * v["a"])


@case(a=FLOWS, b=valued("GF302", IF, says=("else", "Greater")))
def function_in_a_branch_not_taken(x, v):
    @tf.function
    def scaled(y):
        return y * v["b"]

    return tf.cond(always(x), lambda: x * v["a"], lambda: scaled(x))


@case(a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero", at="body/.*StopGradient"))
def stop_gradient_in_a_loop_in_a_function(x, v):
    @tf.function
    def looped(y):
        return repeated(3, lambda _, z: z * v["a"] + tf.stop_gradient(v["b"]), y)

    return looped(x)


@case(a=FLOWS, b=cut("GF201", "StopGradient"))
def stop_gradient_behind_a_branch(x, v):
    """The cut is outside, and what stands behind it is another matter: None, whatever the branch
    is."""
    return x * v["a"] + tf.stop_gradient(tf.cond(always(x), lambda: x * v["b"], lambda: x))


@case(a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero", at="/body/.*then/.*StopGradient"))
def stop_gradient_in_a_branch_in_map_fn(x, v):
    def row_by_row(row):
        return tf.cond(
            tf.reduce_sum(row) > -1e9,
            lambda: row * v["a"] + tf.stop_gradient(v["b"]),
            lambda: row * v["a"],
        )

    return tf.map_fn(row_by_row, x)


@case(a=FLOWS, b=cut("GF302", "ArgMax", verdict="zero", at="/body/.*ArgMax", back="/body/"))
def routed_by_argmax_in_scan(x, v):
    def once(state, row):
        choice = tf.one_hot(tf.argmax(row * v["b"]), 3)
        return state * v["a"] + choice

    return tf.scan(once, x, initializer=tf.ones([3]))


@case(a=FLOWS, b=cut("GF302", "IdentityN", verdict="zero", at="/body/"))
def custom_gradient_of_none_in_a_loop(x, v):
    @tf.custom_gradient
    def blocked(y):
        return 2.0 * y, lambda _: None

    return repeated(2, lambda _, y: y * v["a"] + blocked(v["b"]), x)


@case({"b": [-5.0, -6.0, -7.0]}, a=FLOWS, b=valued("GF303", "Relu", at="then/.*Relu"))
def dead_in_the_branch_taken(x, v):
    """The branch is taken: the zero has another reason."""
    return tf.cond(always(x), lambda: x * v["a"] + tf.nn.relu(v["b"]), lambda: x)


@case({"b": [-5.0, -6.0, -7.0]}, a=FLOWS, b=valued("GF303", "Relu", at="body/.*Relu"))
def dead_in_a_loop(x, v):
    return repeated(2, lambda _, y: y * v["a"] + tf.nn.relu(v["b"]), x)
