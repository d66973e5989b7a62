"""Make a random tf.function of a plan: control flow, calls, custom gradients, all kinds of ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from hypothesis import strategies as st

from tests.models.program_ops import BINARY, CLASSES, UNARY, custom_gradient

VARIABLES = ("a", "b", "c", "d")
BRANCHING = ("cond", "case", "call")
LOOPING = ("while", "map", "scan")
CUSTOM = ("custom_straight", "custom_reversed", "custom_none", "custom_left", "custom_variable")


@dataclass(frozen=True)
class Step:
    """One statement: an operation on earlier values, by their places; ``inner`` are the bodies of
    control flow."""

    kind: str
    left: int
    right: int
    inner: tuple[Program, ...] = ()


@dataclass(frozen=True)
class Program:
    """Statements over the values so far; the result is made of the last two."""

    steps: tuple[Step, ...]


def programs(depth: int = 2, unsaid: bool = True) -> st.SearchStrategy[Program]:
    """Random programs.

    Args:
        depth: how deep control flow stands inside control flow.
        unsaid: with custom gradients that return None, which a live graph does not tell.
    """
    place = st.integers(0, 20)
    custom = [kind for kind in CUSTOM if unsaid or kind not in ("custom_none", "custom_left")]
    flowing = list(CLASSES["flow"])
    cuts = [kind for name, kinds in CLASSES.items() if name != "flow" for kind in kinds]
    plain = st.one_of(
        *[
            st.builds(Step, st.sampled_from(kinds), place, place)
            for kinds in (flowing, flowing, cuts)
        ],
        st.builds(Step, st.sampled_from([*BINARY, *custom]), place, place),
    )
    if depth == 0:
        return st.builds(Program, st.lists(plain, min_size=1, max_size=3).map(tuple))
    inner = programs(depth - 1, unsaid)
    nested = st.one_of(
        st.builds(Step, st.sampled_from(BRANCHING), place, place, st.tuples(inner, inner)),
        st.builds(Step, st.sampled_from(LOOPING), place, place, st.tuples(inner)),
    )
    steps = st.lists(st.one_of(plain, plain, plain, nested), min_size=2, max_size=5)
    return st.builds(Program, steps.map(tuple))


class Module(tf.Module):
    """The program as ``serve``, over an input and four variables."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.weights = [
            tf.Variable(tf.random.stateless_normal([3], [place, 7]), name=name)
            for place, name in enumerate(VARIABLES)
        ]

        def serve(x: Any) -> Any:
            return run(program, [x[0], *self.weights])

        signature = [tf.TensorSpec([None, 3], tf.float32, name="x")]
        self.serve = tf.function(serve, input_signature=signature, autograph=False)

    def save(self, folder: str) -> None:
        """Write a SavedModel whose signature is the program."""
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
        tf.saved_model.save(
            self, folder, {"serving_default": self.serve.get_concrete_function()}, options
        )


def run(program: Program, values: Sequence[Any]) -> Any:
    """Carry out ``program``; every value is a vector of three, the result the sum of the last
    two."""
    values = list(values)
    for step in program.steps:
        left, right = _at(step.left, values), _at(step.right, values)
        values.append(_apply(step, left, right, values))
    return tf.convert_to_tensor(values[-1]) + 0.5 * tf.convert_to_tensor(values[-2])


def _at(place: int, values: list[Any]) -> Any:
    """Any value for a small place, one of the latest for a large one: else most of what is computed
    is never used."""
    return values[place % len(values)] if place < 10 else values[-1 - place % min(3, len(values))]


def _apply(step: Step, left: Any, right: Any, values: list[Any]) -> Any:
    if step.kind in CUSTOM:
        # The variable itself, where the place is one: only then does TensorFlow know that it is
        # used inside.
        return custom_gradient(step.kind, left, right)
    left, right = tf.convert_to_tensor(left), tf.convert_to_tensor(right)
    if step.kind in UNARY:
        return tf.ensure_shape(UNARY[step.kind](left), [3])
    if step.kind in BINARY:
        return tf.ensure_shape(BINARY[step.kind](left, right), [3])
    bodies = [_closed(one, values) for one in step.inner]
    return _CONTROL[step.kind](left, right, *bodies)


def _closed(program: Program, values: list[Any]) -> Callable[[Any], Any]:
    return lambda first: run(program, [first, *values])


def _cond(left: Any, right: Any, first: Any, last: Any) -> Any:
    return tf.cond(tf.reduce_sum(right) > 0.0, lambda: first(left), lambda: last(right))


def _case(left: Any, right: Any, first: Any, last: Any) -> Any:
    number = tf.cast(tf.argmax(right), tf.int32)
    return tf.switch_case(number, [lambda: first(left), lambda: last(right), lambda: left + right])


def _call(left: Any, right: Any, first: Any, last: Any) -> Any:
    return tf.function(lambda y, z: (first(y), last(z)), autograph=False)(left, right)[0]


def _while(left: Any, _: Any, body: Any) -> Any:
    return tf.while_loop(
        lambda trip, _: trip < 2,
        lambda trip, y: (trip + 1, tf.ensure_shape(body(y), [3])),
        (0, left),
    )[1]


def _map(left: Any, right: Any, body: Any) -> Any:
    return tf.ensure_shape(tf.reduce_sum(tf.map_fn(body, tf.stack([left, right])), 0), [3])


def _scan(left: Any, right: Any, body: Any) -> Any:
    rows = tf.scan(
        lambda state, row: 0.5 * state + body(row), tf.stack([left, right]), tf.zeros([3])
    )
    return tf.ensure_shape(rows[-1], [3])


_CONTROL = {
    "cond": _cond,
    "case": _case,
    "call": _call,
    "while": _while,
    "map": _map,
    "scan": _scan,
}
