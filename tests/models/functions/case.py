"""What a named case is: a tiny tf.function over a few variables, and the truth about each of
them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import tensorflow as tf


@dataclass(frozen=True, slots=True)
class Truth:
    """What one variable's verdict, static verdict and causes are."""

    verdict: str
    causes: frozenset[tuple[str, str | None]] = frozenset()
    """Pairs of code and op type; the op type is a regular expression, None where no op is to be
    named.

    Of a weight that flows they are what its findings say, for a cause is why something is missing.
    """
    cuts: int | None = 0
    static: str | None = None
    """The verdict of a static reading, where only a run can tell."""
    raises: frozenset[str] = frozenset()
    """Codes of further findings: a training step raises an error at an op on the way."""
    at: str | None = None
    """Regular expression that is found in the name of the cause's op: its place."""
    back: str | None = None
    """Regular expression that is found in the name of the op where the data comes back."""
    says: tuple[str, ...] = ()
    """What the finding's message or hint must mention."""
    note: bool = False
    """The finding is only a note: expected, and harmless."""
    layer: str | None = None
    """Regular expression that is found in the cause's layer."""

    def found_at(self, place: str) -> Truth:
        """The same with the place of the op."""
        return replace(self, at=place)


FLOWS = Truth("flows")
UNUSED = Truth("none", frozenset({("GF206", None)}), None)
ANY = ".*"
"""An op type that is named and may be any."""


def cut(
    code: str,
    op_type: str,
    verdict: str = "none",
    cuts: int = 1,
    static: str | None = None,
    **details: Any,
) -> Truth:
    """One cause, which no run is needed to see."""
    return Truth(verdict, frozenset({(code, op_type)}), cuts, static, **details)


def valued(code: str, op_type: str | None, verdict: str = "zero", **details: Any) -> Truth:
    """One cause that lies in the values: the graph alone sees a gradient that flows."""
    return Truth(verdict, frozenset({(code, op_type)}), 0, "flows", **details)


Function = Callable[[Any, Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One hard behaviour."""

    name: str
    function: Function
    truths: Mapping[str, Truth]
    initial: Mapping[str, Any] = field(default_factory=dict)
    """Values of variables that are not to be random, by name; one without a truth is state, not a
    weight."""
    table: bool = False
    """Whether ``v["table"]`` is a hash table from the integers 0, 1, 2 to floats."""
    unloadable: str = ""
    """What TensorFlow itself does wrong with the gradient once the function comes from a file; a
    tape cannot tell."""


CASES: dict[str, Case] = {}


def case(
    initial: Mapping[str, Any] | None = None,
    /,
    *,
    table: bool = False,
    unloadable: str = "",
    **truths: Truth,
) -> Callable[[Function], Function]:
    """Register a function under its own name."""

    def register(function: Function) -> Function:
        name = function.__name__
        assert name not in CASES, name
        CASES[name] = Case(name, function, truths, initial or {}, table, unloadable)
        return function

    return register


class Module(tf.Module):
    """A module with variables of three entries, each drawn from its own seed, and one function over
    them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        mine = CASES[name]
        self.weights = {
            key: tf.Variable(
                mine.initial.get(key, tf.random.stateless_normal([3], [number, 1])),
                name=key,
            )
            for number, key in enumerate(mine.truths)
        }
        self.state = {
            key: tf.Variable(value, name=key, trainable=False)
            for key, value in mine.initial.items()
            if key not in mine.truths
        }
        given: dict[str, Any] = {**self.weights, **self.state}
        if mine.table:
            values = tf.lookup.KeyValueTensorInitializer(
                tf.range(3, dtype=tf.int64), [0.5, 1.5, 2.5]
            )
            self.table = given["table"] = tf.lookup.StaticHashTable(values, default_value=0.1)
        signature = [tf.TensorSpec([None, 3], tf.float32, name="x")]
        # Autograph took a sixth of the time of these tests, and none of the functions needs it.
        self.serve = tf.function(
            lambda x: mine.function(x, given), input_signature=signature, autograph=False
        )

    def save(self, folder: str, custom_gradients: bool = True) -> None:
        """Write a SavedModel whose signature is the function."""
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=custom_gradients)
        signatures = {"serving_default": self.serve.get_concrete_function()}
        tf.saved_model.save(self, folder, signatures=signatures, options=options)
