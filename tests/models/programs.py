"""A plan of small data in, a random tf.function out: control flow, calls and cuts of all kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from hypothesis import strategies as st

VARIABLES = ("a", "b", "c", "d")

UNARY = {
    "tanh": tf.tanh,
    "scaled": lambda y: 0.5 * y,
    "normed": lambda y: y / (1.0 + tf.reduce_sum(tf.abs(y))),
    "reshaped": lambda y: tf.reshape(tf.transpose(tf.reshape(y, [3, 1])), [3]),
    "stop_gradient": tf.stop_gradient,
    "round": tf.round,
    "floor": lambda y: tf.floor(3.0 * y),
    "sign": tf.sign,
    "cast": lambda y: tf.cast(tf.cast(3.0 * y, tf.int32) + 1, tf.float32),
    "argmax": lambda y: tf.one_hot(tf.argmax(y), 3),
    "greater": lambda y: tf.cast(y > 0.1, tf.float32),
    "top_k": lambda y: tf.cast(tf.math.top_k(y, 3).indices, tf.float32),
    "shape": lambda y: tf.ones_like(y) * tf.cast(tf.size(y), tf.float32),
    "unique": lambda y: tf.reduce_sum(tf.unique(y)[0]) + tf.zeros([3]),
}
BINARY = {
    "add": tf.add,
    "multiply": tf.multiply,
    "where": lambda y, z: tf.where(y > z, y, z),
    "matmul": lambda y, z: tf.linalg.matvec(tf.linalg.diag(y), z),
    "gather": lambda y, z: tf.gather(y, tf.argmax(z)) + tf.zeros([3]),
    "stacked": lambda y, z: tf.unstack(tf.stack([y, z]))[1],
    "identities": lambda y, z: tf.raw_ops.IdentityN(input=[y, z])[0],
}


@dataclass(frozen=True)
class Step:
    """One statement: an operation on earlier values, by their places; ``inner`` are the bodies of control flow."""

    kind: str
    left: int
    right: int
    inner: tuple[Program, ...] = ()


@dataclass(frozen=True)
class Program:
    """Statements over the values so far; the result is the last value."""

    steps: tuple[Step, ...]


def programs(depth: int = 1) -> st.SearchStrategy[Program]:
    place = st.integers(0, 20)
    plain = st.builds(Step, st.sampled_from([*UNARY, *BINARY]), place, place)
    if depth == 0:
        return st.builds(Program, st.lists(plain, min_size=1, max_size=3).map(tuple))
    inner = programs(depth - 1)
    nested = st.one_of(
        st.builds(Step, st.sampled_from(["cond", "call"]), place, place, st.tuples(inner, inner)),
        st.builds(Step, st.sampled_from(["while", "map"]), place, place, st.tuples(inner)),
    )
    steps = st.lists(st.one_of(plain, plain, plain, nested), min_size=2, max_size=4)
    return st.builds(Program, steps.map(tuple))


class Module(tf.Module):
    """The program as ``serve``, over an input and four variables."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.weights = [
            tf.Variable(tf.random.stateless_normal([3], [place, 7]), name=name) for place, name in enumerate(VARIABLES)
        ]

        def serve(x: Any) -> Any:
            return run(program, [x[0], *self.weights])

        self.serve = tf.function(serve, input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])


def run(program: Program, values: list[Any]) -> Any:
    """Carry out ``program``; every value is a vector of three."""
    values = list(values)
    for step in program.steps:
        left, right = values[step.left % len(values)], values[step.right % len(values)]
        left, right = tf.convert_to_tensor(left), tf.convert_to_tensor(right)
        values.append(_apply(step, left, right, values))
    return tf.convert_to_tensor(values[-1])


def _apply(step: Step, left: Any, right: Any, values: list[Any]) -> Any:
    if step.kind in UNARY:
        return UNARY[step.kind](left)
    if step.kind in BINARY:
        return BINARY[step.kind](left, right)
    first, last = step.inner[0], step.inner[-1]
    if step.kind == "cond":
        return tf.cond(
            tf.reduce_sum(right) > 0.0, lambda: run(first, [left, *values]), lambda: run(last, [right, *values])
        )
    if step.kind == "call":
        both = tf.function(lambda y, z: (run(first, [y, *values]), run(last, [z, *values])))
        return both(left, right)[0]
    if step.kind == "while":

        def body(trip: Any, y: Any) -> tuple[Any, Any]:
            return trip + 1, tf.reshape(run(first, [y, *values]), [3])

        return tf.while_loop(lambda trip, _: trip < 2, body, (0, left))[1]
    return tf.reduce_sum(tf.map_fn(lambda row: run(first, [row, *values]), tf.stack([left, right])), 0)
