"""Tiny named tf.functions, one hard behaviour each, and what gradflow must say about their variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True, slots=True)
class Truth:
    """What one variable's verdict, static verdict and causes are."""

    verdict: str
    causes: frozenset[tuple[str, str | None]] = frozenset()
    """Pairs of code and op type."""
    cuts: int | None = 0
    static: str | None = None
    """The verdict of a static reading, where only a run can tell."""


FLOWS = Truth("flows")
UNUSED = Truth("none", frozenset({("GF206", None)}), None)

Function = Callable[[Any, Mapping[str, Any]], Any]
CASES: dict[str, tuple[Function, dict[str, Truth]]] = {}


def _case(**truths: Truth) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        CASES[function.__name__] = (function, truths)
        return function

    return register


def cut(code: str, op_type: str, verdict: str = "none", cuts: int = 1, static: str | None = None) -> Truth:
    return Truth(verdict, frozenset({(code, op_type)}), cuts, static)


class Module(tf.Module):
    """A module with variables of three entries, each drawn from its own seed, and one function over them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        function, truths = CASES[name]
        self.weights = {
            key: tf.Variable(tf.random.stateless_normal([3], [number, 1]), name=key)
            for number, key in enumerate(truths)
        }
        signature = [tf.TensorSpec([None, 3], tf.float32, name="x")]
        self.serve = tf.function(lambda x: function(x, self.weights), input_signature=signature)

    def save(self, folder: str, custom_gradients: bool = True) -> None:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=custom_gradients)
        signatures = {"serving_default": self.serve.get_concrete_function()}
        tf.saved_model.save(self, folder, signatures=signatures, options=options)


@_case(a=FLOWS, b=cut("GF201", "StopGradient"))
def stop_gradient(x, v):
    return x * v["a"] + tf.stop_gradient(v["b"])


@_case(a=FLOWS, b=FLOWS)
def stop_gradient_on_one_of_two_paths(x, v):
    return x * v["a"] + tf.stop_gradient(v["b"]) + v["b"]


@_case(a=FLOWS, b=cut("GF202", "Round"))
def rounded(x, v):
    return x * v["a"] + tf.round(v["b"])


@_case(a=FLOWS, b=cut("GF202", "Cast"))
def cast_to_integer_and_back(x, v):
    return x * v["a"] + tf.cast(tf.cast(v["b"] * 10.0, tf.int32) + 1, tf.float32)


@_case(a=FLOWS, b=cut("GF202", "ArgMax"))
def argmax_as_an_index(x, v):
    return x * tf.gather(v["a"], tf.argmax(v["b"]))


@_case(a=FLOWS, b=cut("GF202", "Greater"))
def comparison_as_a_condition(x, v):
    return tf.where(v["b"] > 0.0, x * v["a"], x)


@_case(a=FLOWS, b=cut("GF202", "TopKV2"))
def top_k_indices(x, v):
    return x * v["a"] + tf.cast(tf.math.top_k(v["b"], 2).indices[0], tf.float32)


@_case(a=FLOWS, b=cut("GF202", "Round", cuts=2))
def two_cuts_in_a_row(x, v):
    return x * v["a"] + tf.round(2.0 * tf.stop_gradient(v["b"]))


@_case(a=FLOWS, b=Truth("none", frozenset({("GF202", "Round"), ("GF201", "StopGradient")}), 1))
def two_cuts_side_by_side(x, v):
    return x * v["a"] + tf.round(v["b"]) + tf.stop_gradient(v["b"])


@_case(a=FLOWS, b=cut("GF301", "Sign", verdict="zero"))
def sign(x, v):
    return x * v["a"] + tf.sign(v["b"])


@_case(a=FLOWS, b=cut("GF203", "Unique"))
def op_without_a_gradient(x, v):
    return x * v["a"] + tf.reduce_sum(tf.unique(v["b"])[0])


@_case(a=FLOWS, b=cut("GF207", "PreventGradient"))
def gradient_disabled(x, v):
    return x * v["a"] + tf.raw_ops.PreventGradient(input=v["b"], message="not here")


@_case(a=FLOWS, b=UNUSED)
def unused(x, v):
    return x * v["a"]


@_case(a=FLOWS, b=cut("GF302", "StopGradient", verdict="zero"))
def stop_gradient_in_a_loop(x, v):
    def body(step, y):
        return step + 1, y * v["a"] + tf.stop_gradient(v["b"])

    return tf.while_loop(lambda step, _: step < 3, body, (0, x))[1]


@_case(a=FLOWS, b=cut("GF202", "Cast"))
def number_of_trips(x, v):
    trips = tf.cast(tf.reduce_sum(tf.abs(v["b"])) * 0.0 + 2.0, tf.int32)
    return tf.while_loop(lambda step, _: step < trips, lambda step, y: (step + 1, y * v["a"]), (0, x))[1]


@_case(a=FLOWS, b=cut("GF302", "If", verdict="zero", cuts=0, static="flows"), c=FLOWS)
def branch_not_taken(x, v):
    return tf.cond(tf.reduce_sum(x) > -1e9, lambda: x * v["a"], lambda: x * v["b"]) * v["c"]


@_case(a=FLOWS, b=cut("GF201", "StopGradient"))
def stop_gradient_in_both_branches(x, v):
    return tf.cond(
        tf.reduce_sum(x) > -1e9,
        lambda: x * v["a"] + tf.stop_gradient(v["b"]),
        lambda: x - tf.stop_gradient(v["b"]),
    )


@_case(a=cut("GF302", "StopGradient", verdict="zero"), b=FLOWS)
def stop_gradient_in_map_fn(x, v):
    return tf.map_fn(lambda row: tf.stop_gradient(v["a"]) * row * v["b"], x)


@_case(a=FLOWS, b=cut("GF302", "Round", verdict="zero"))
def round_in_scan(x, v):
    return tf.scan(lambda state, row: state * v["a"] + tf.round(row * v["b"]), x, initializer=tf.ones([3]))


@_case(a=FLOWS, b=Truth("zero", frozenset({("GF206", None)}), None))
def unused_output_of_a_function(x, v):
    @tf.function
    def both(y):
        return y * v["a"], y * v["b"]

    return both(x)[0]


@_case(a=FLOWS, b=cut("GF201", "StopGradient"))
def one_function_called_twice(x, v):
    @tf.function
    def scaled(y):
        return 2.0 * y

    return scaled(x * v["a"]) + tf.stop_gradient(scaled(v["b"]))


@_case(a=FLOWS, b=FLOWS, c=FLOWS)
def straight_through(x, v):
    @tf.custom_gradient
    def rounded_straight(y):
        return tf.round(y), lambda upstream: upstream

    return rounded_straight(x * v["a"]) + x * v["b"] * v["c"]


@_case(a=FLOWS, b=cut("GF205", "IdentityN"))
def custom_gradient_of_none(x, v):
    @tf.custom_gradient
    def blocked(y):
        return 2.0 * y, lambda _: None

    return x * v["a"] + blocked(x * v["b"])


@_case(a=FLOWS, b=FLOWS, c=cut("GF205", "IdentityN"))
def custom_gradient_of_one_argument(x, v):
    @tf.custom_gradient
    def product(y, z):
        return y * z, lambda upstream: (upstream, None)

    return x * v["a"] + product(x * v["b"], x * v["c"])


@_case(a=FLOWS, b=FLOWS)
def variable_inside_a_custom_gradient(x, v):
    @tf.custom_gradient
    def scaled(y):
        def gradient(upstream, variables=()):
            return upstream, [tf.ones_like(variable) for variable in variables]

        return y * v["a"], gradient

    return scaled(x * v["b"])


@_case(a=FLOWS, b=cut("GF204", "Shape"))
def only_its_shape(x, v):
    size = tf.cast(tf.shape(x * v["b"])[0], tf.float32)
    return x * v["a"] * size
