"""Conditions, cases and loops: TensorFlow fills in zeros for what is cut inside, and for what is
not run."""

from __future__ import annotations

import tensorflow as tf

from tests.models.functions.case import FLOWS, UNUSED, Truth, case, cut, valued

IF, CASE, WHILE = "(Stateless)?If", "(Stateless)?Case", "(Stateless)?While"


def always(x):
    """A condition that only a run can tell: it depends on the input."""
    return tf.reduce_sum(x) > -1e9


def never(x):
    return tf.reduce_sum(x) < -1e9


@case(a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero", at="^while/body/.*StopGradient"))
def stop_gradient_in_a_loop(x, v):
    def body(step, y):
        return step + 1, y * v["a"] + tf.stop_gradient(v["b"])

    return tf.while_loop(lambda step, _: step < 3, body, (0, x))[1]


@case(a=FLOWS, b=cut("GF202", "Cast"))
def number_of_trips(x, v):
    trips = tf.cast(tf.reduce_sum(tf.abs(v["b"])) * 0.0 + 2.0, tf.int32)
    return tf.while_loop(
        lambda step, _: step < trips, lambda step, y: (step + 1, y * v["a"]), (0, x)
    )[1]


@case(a=FLOWS, b=cut("GF302", "Less", verdict="zero", at="/cond/"))
def end_of_a_loop_decided_by_a_variable(x, v):
    def more(step, y):
        return tf.cast(step, tf.float32) < 2.0 + 0.0 * v["b"][0]

    return tf.while_loop(more, lambda step, y: (step + 1, y * v["a"]), (0, x))[1]


@case(a=FLOWS, b=valued("GF302", IF, says=("else", "Greater"), at="^cond"), c=FLOWS)
def branch_not_taken(x, v):
    return tf.cond(always(x), lambda: x * v["a"], lambda: x * v["b"]) * v["c"]


@case(a=FLOWS, b=valued("GF302", IF, says=("then", "Less"), at="^cond"), c=FLOWS)
def first_branch_not_taken(x, v):
    return tf.cond(never(x), lambda: x * v["b"], lambda: x * v["a"]) * v["c"]


@case(a=FLOWS, b=cut("GF201", "StopGradient"))
def stop_gradient_in_both_branches(x, v):
    return tf.cond(
        always(x),
        lambda: x * v["a"] + tf.stop_gradient(v["b"]),
        lambda: x - tf.stop_gradient(v["b"]),
    )


@case(a=FLOWS, b=cut("GF201", "StopGradient", at="^cond/then/.*StopGradient"))
def stop_gradient_in_the_branch_taken(x, v):
    return tf.cond(always(x), lambda: x * v["a"] + tf.stop_gradient(v["b"]), lambda: x * v["a"])


@case(a=FLOWS, b=cut("GF201", "StopGradient", at="^cond/else/.*StopGradient"))
def stop_gradient_in_the_branch_not_taken(x, v):
    return tf.cond(always(x), lambda: x * v["a"], lambda: x * v["a"] + tf.stop_gradient(v["b"]))


@case(
    a=FLOWS,
    b=Truth("zero", frozenset({("GF302", "StopGradient")}), 1, "flows", at="^cond/then/"),
)
def cut_in_the_branch_taken_and_free_in_the_other(x, v):
    return tf.cond(always(x), lambda: x * v["a"] + tf.stop_gradient(v["b"]), lambda: x * v["b"])


@case(a=FLOWS, b=FLOWS)
def free_in_the_branch_taken_and_cut_in_the_other(x, v):
    return tf.cond(always(x), lambda: x * v["a"] + v["b"], lambda: x * tf.stop_gradient(v["b"]))


@case(a=FLOWS, b=cut("GF202", "Greater"))
def variable_as_the_condition(x, v):
    return tf.cond(tf.reduce_sum(v["b"]) > 0.0, lambda: x * v["a"], lambda: 2.0 * x * v["a"])


@case(a=FLOWS, b=cut("GF202", "ArgMax"))
def variable_as_the_number_of_a_case(x, v):
    number = tf.cast(tf.argmax(v["b"]), tf.int32)
    return tf.switch_case(
        number, [lambda: x * v["a"], lambda: -x * v["a"], lambda: 2.0 * x * v["a"]]
    )


@case(
    a=valued("GF302", CASE, says=("0",)),
    b=FLOWS,
    c=valued("GF302", CASE, says=("2",)),
)
def cases_not_taken(x, v):
    number = tf.cast(0.0 * tf.reduce_sum(x), tf.int32) + 1
    return tf.switch_case(number, [lambda: x * v["a"], lambda: x * v["b"], lambda: x * v["c"]])


@case(a=FLOWS, b=cut("GF202", "Round", at="/branch1/"))
def round_in_one_case(x, v):
    number = tf.cast(0.0 * tf.reduce_sum(x), tf.int32) + 1
    return tf.switch_case(
        number, [lambda: x * v["a"], lambda: x * v["a"] + tf.round(v["b"]), lambda: x * v["a"]]
    )


@case(a=FLOWS, b=valued("GF302", WHILE, says=("trip", "Less")))
def loop_without_trips(x, v):
    limit = tf.cast(0.0 * tf.reduce_sum(x), tf.int32)
    return tf.while_loop(
        lambda step, _: step < limit, lambda step, y: (step + 1, y * v["b"]), (0, x * v["a"])
    )[1]


@case(a=FLOWS, b=valued("GF302", WHILE, says=("makes too few trips",)))
def handed_on_too_seldom(x, v):
    """Each trip hands the values on by one place: ``b`` does not come to the last in time."""
    return tf.while_loop(
        lambda step, *_: step < 1,
        lambda step, y, z, w: (step + 1, tf.tanh(z), tf.tanh(w), y),
        (0, x, x * v["a"], x * v["b"]),
    )[1]


@case(a=FLOWS, b=FLOWS)
def loop_with_trips(x, v):
    limit = tf.cast(0.0 * tf.reduce_sum(x), tf.int32) + 3
    return tf.while_loop(
        lambda step, _: step < limit, lambda step, y: (step + 1, y * v["b"]), (0, x * v["a"])
    )[1]


@case(
    a=FLOWS,
    b=FLOWS,
    c=Truth(
        "zero",
        frozenset({("GF302", "StopGradient")}),
        1,
        static="flows",
        at="^while/body/.*StopGradient",
    ),
)
def state_stopped_between_trips(x, v):
    """Without a trip the initial value would be the result: the graph alone cannot tell."""

    def body(step, y):
        return step + 1, tf.stop_gradient(y) * v["a"] + v["b"]

    return tf.while_loop(lambda step, _: step < 3, body, (0, x * v["c"]))[1]


@case(a=FLOWS, b=valued("GF302", WHILE, at="^while"))
def initial_value_overwritten_by_a_loop(x, v):
    return tf.while_loop(
        lambda step, _: step < 3, lambda step, y: (step + 1, x * v["a"]), (0, x * v["b"])
    )[1]


@case(a=FLOWS, b=Truth("zero", frozenset({("GF206", None)}), None))
def loop_variable_that_nobody_reads(x, v):
    def body(step, y, z):
        return step + 1, y * v["a"], z * v["b"]

    return tf.while_loop(lambda step, *_: step < 3, body, (0, x, x))[1]


@case(a=FLOWS, b=FLOWS)
def loop_variables_that_feed_each_other(x, v):
    def body(step, y, z):
        return step + 1, z * v["a"], y * v["b"]

    return tf.while_loop(lambda step, *_: step < 3, body, (0, x, x))[1]


@case(a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero", at="/body/.*StopGradient"))
def stop_gradient_between_loop_variables(x, v):
    """The way from ``b`` to the output takes two trips."""

    def body(step, y, z):
        return step + 1, y * v["a"] + tf.stop_gradient(z), x * v["b"]

    return tf.while_loop(lambda step, *_: step < 3, body, (0, x, x))[1]


@case(a=cut("GF302", "StopGradient", verdict="zero", at="/body/.*StopGradient"), b=FLOWS)
def stop_gradient_in_map_fn(x, v):
    return tf.map_fn(lambda row: tf.stop_gradient(v["a"]) * row * v["b"], x)


@case(a=cut("GF302", "Cast", verdict="zero", at="/body/", back="/body/.*Cast"), b=FLOWS)
def passage_in_map_fn(x, v):
    def row_by_row(row):
        return row * v["b"] + tf.cast(tf.cast(row * v["a"], tf.int32), tf.float32)

    return tf.map_fn(row_by_row, x)


@case(a=cut("GF202", "Cast", at="/body/.*Cast", back="^[Cc]ast"), b=FLOWS)
def integers_made_by_map_fn(x, v):
    """The passage leaves inside the loop and comes back outside of it."""
    codes = tf.map_fn(lambda row: tf.cast(row * v["a"], tf.int32), x, fn_output_signature=tf.int32)
    return x * v["b"] + tf.cast(codes, tf.float32)


@case(a=FLOWS, b=cut("GF302", "Round", verdict="zero", at="/body/.*Round"))
def round_in_scan(x, v):
    return tf.scan(
        lambda state, row: state * v["a"] + tf.round(row * v["b"]), x, initializer=tf.ones([3])
    )


@case(a=FLOWS, b=FLOWS)
def fold(x, v):
    return tf.foldl(lambda state, row: state * v["a"] + row * v["b"], x, initializer=tf.ones([3]))


@case(a=FLOWS, b=UNUSED)
def variable_of_a_branch_that_python_never_traced(x, v):
    training = False
    return x * v["b"] if training else x * v["a"]


@case(a=Truth("zero", frozenset({("GF302", "StopGradient")}), 1, "flows", at="then"), b=FLOWS)
def cut_in_the_branch_that_runs_beside_an_open_one(x, v):
    z = x * v["a"]
    taken = tf.reduce_sum(x) > -1e9
    return tf.cond(taken, lambda: tf.stop_gradient(z), lambda: z * 2.0) + v["b"]


@case(
    a=Truth("zero", frozenset({("GF302", "While|StatelessWhile")}), 0, "flows"),
    b=Truth("zero", frozenset({("GF302", "StopGradient")}), 1, "flows"),
    c=FLOWS,
)
def loop_variables_that_change_places(x, v):
    """In three trips the first one ends where only the second one is seen."""

    def body(i, p, q):
        return i + 1, q, tf.stop_gradient(p)

    start = [0, x * v["a"], x * v["b"]]
    return tf.while_loop(lambda i, p, q: i < 3, body, start)[1] + v["c"]


@case(a=Truth("zero", frozenset({("GF302", "Round")}), 2, "flows"), b=FLOWS)
def overwritten_initial_value_and_two_cuts_in_the_body(x, v):
    def body(i, s):
        return i + 1, tf.round(tf.sin(tf.round(x * v["a"])))

    return tf.while_loop(lambda i, s: i < 1, body, [0, x * v["a"]])[1] + v["b"]


@case(a=valued("GF302", "If|StatelessIf"), b=FLOWS)
def untaken_branch_right_before_an_addition(x, v):
    never = tf.reduce_sum(x) > 1e9
    return tf.cond(never, lambda: x * v["a"], lambda: x) + v["b"]


@case(a=valued("GF302", "While|StatelessWhile"), b=FLOWS)
def loop_without_a_trip_right_before_an_addition(x, v):
    trips = tf.cast(tf.reduce_sum(x) > 1e9, tf.int32)
    return (
        tf.while_loop(lambda i, s: i < trips, lambda i, s: (i + 1, s * v["a"]), [0, x])[1] + v["b"]
    )


@case(a=valued("GF302", "Case|StatelessCase"), b=FLOWS)
def untaken_case_right_before_an_addition(x, v):
    number = tf.cast(tf.reduce_sum(x) > 1e9, tf.int32)
    return tf.switch_case(number, [lambda: x, lambda: x * v["a"]]) + v["b"]
