"""Make a random program with planted cuts from a seed, to be run with any of them opened.

A cut that is opened gives the same values as before, and hands on its gradient as if it were the
identity. So the bare tape tells which cuts hold a weight's gradient back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tests.models.program_ops import UNARY

WEIGHTS = ("a", "b", "c", "d")
FLOWING = (
    "tanh scaled normed reshaped softmax cumsum complex double padded sorted split gathered "
    "broadcast"
).split()
CUTS = "stop_gradient round floor sign cast argmax greater top_k".split()
JOINING = ("add", "multiply", "packed", "halves")
NESTING = (
    *("cond", "case", "call", "twice", "while", "swap", "overwrite", "map", "scan", "recompute"),
    *("beside", "rows", "margins"),
)
MOST_CUTS = 4
MARGIN = "margin"
"""The scope in which a value is multiplied by what others are padded with."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One operation on earlier values, by their places; ``bodies`` are those of control flow."""

    kind: str
    left: int
    right: int
    bodies: tuple[Block, ...] = ()
    cut: int | None = None
    """The number of the cut that is planted here."""


Block = tuple[Statement, ...]


_PLAIN = Statement("scaled", 2, 0)
_CUT = (Statement("stop_gradient", 12, 0, cut=0), Statement("tanh", 12, 0))
NAMED: dict[str, Block] = {
    "into_a_branch_that_is_not_run": (
        Statement("floor", 4, 12, cut=0),
        Statement("top_k", 10, 7, cut=1),
        Statement("packed", 3, 9),
        Statement(
            "call",
            4,
            0,
            (
                (
                    Statement("argmax", 4, 8, cut=2),
                    Statement("floor", 8, 10, cut=3),
                    Statement(
                        "case",
                        12,
                        6,
                        (
                            (Statement("halves", 4, 17), Statement("multiply", 18, 0)),
                            (Statement("multiply", 14, 5), Statement("reshaped", 15, 3)),
                        ),
                    ),
                    Statement("scaled", 16, 9),
                ),
            ),
        ),
    ),
    "behind_another_in_an_earlier_call": (
        Statement("scan", 0, 20, ((Statement("cast", 3, 17, cut=0), Statement("add", 1, 4)),)),
        Statement("multiply", 6, 9),
        Statement(
            "twice",
            15,
            5,
            (
                (
                    Statement("while", 19, 14, ((Statement("multiply", 14, 8), _PLAIN),)),
                    Statement("cast", 16, 13, cut=1),
                    Statement("cast", 3, 12, cut=2),
                ),
            ),
        ),
    ),
    "before_a_loop_that_overwrites_it": (
        Statement("stop_gradient", 1, 0, cut=0),
        Statement(
            "overwrite", 12, 12, ((Statement("round", 12, 0, cut=1), Statement("tanh", 12, 0)),)
        ),
        _PLAIN,
    ),
    "before_a_branch_that_is_not_run": (
        Statement("stop_gradient", 1, 0, cut=0),
        Statement(
            "case",
            12,
            12,
            (
                (Statement("round", 12, 0, cut=1), Statement("tanh", 12, 0)),
                (Statement("round", 12, 0, cut=2), Statement("tanh", 12, 0)),
            ),
        ),
        _PLAIN,
    ),
    "of_one_of_two_that_were_joined": (
        Statement("beside", 1, 3, ((Statement("round", 12, 0, cut=0), Statement("tanh", 12, 0)),)),
        _PLAIN,
    ),
    "before_and_after_a_join": (
        Statement("sign", 3, 0, cut=0),
        Statement("rows", 1, 12, ((Statement("round", 12, 0, cut=1), Statement("tanh", 12, 0)),)),
        _PLAIN,
    ),
    **{
        f"in_each_row_of_a_{kind}": (Statement(kind, 1, 3, (_CUT,)), _PLAIN)
        for kind in ("fold", "fold_back", "scan", "scan_on", "map")
    },
    "of_all_but_the_margins": (
        Statement("margins", 1, 3, ((Statement("round", 12, 0, cut=0), Statement("tanh", 12, 0)),)),
        _PLAIN,
    ),
}
"""Programs of which a report has been wrong, by where the cut stands."""


@dataclass(slots=True)
class _Drawing:
    source: random.Random
    cuts: int = 0

    def block(self, depth: int) -> Block:
        return tuple(self.statement(depth) for _ in range(self.source.randint(2, 4)))

    def statement(self, depth: int) -> Statement:
        choose, places = (
            self.source.choice,
            (self.source.randint(0, 20), self.source.randint(0, 20)),
        )
        what = self.source.random()
        if what < 0.3 and self.cuts < MOST_CUTS:
            self.cuts += 1
            return Statement(choose(CUTS), *places, cut=self.cuts - 1)
        if what < 0.45 and depth:
            kind = choose(NESTING)
            bodies = tuple(self.block(depth - 1) for _ in range(1 + (kind in ("cond", "case"))))
            return Statement(kind, *places, bodies)
        return Statement(choose(JOINING if what < 0.75 else FLOWING), *places)


def cuts_in(block: Block) -> int:
    """Return how many cuts are planted in a program."""
    return sum(
        (statement.cut is not None) + sum(map(cuts_in, statement.bodies)) for statement in block
    )


def drawn(seed: int) -> Block:
    """Return the program of this seed."""
    return _Drawing(random.Random(seed)).block(depth=2)


class Module(tf.Module):
    """A program as ``serve``, over an input of three numbers and four weights; ``margin`` is what
    its values are padded with, by which others are multiplied."""

    def __init__(self, program: Block, margin: float = 0.0) -> None:
        super().__init__()
        self.margin = margin
        self.weights = {
            name: tf.Variable(tf.random.stateless_normal([3], [place, 7]), name=name)
            for place, name in enumerate(WEIGHTS)
        }

        def serve(x: Any) -> Any:
            return self.result(program, x)

        signature = [tf.TensorSpec([1, 3], tf.float32, name="x")]
        self.serve = tf.function(serve, input_signature=signature, autograph=False)

    def result(
        self, program: Block, x: Any, opened: Collection[int] = (), ran: set[int] | None = None
    ) -> Any:
        """Run the program with some of its cuts opened; ``ran`` is filled with those it came by."""
        weights = [tf.convert_to_tensor(weight) for weight in self.weights.values()]
        machine = _Machine(x[0], opened, self.margin, set() if ran is None else ran)
        return machine.run(program, [x[0], *weights])

    def flowing(
        self, program: Block, x: Any, opened: Collection[int], ran: set[int]
    ) -> frozenset[str]:
        """Return the weights that the bare tape brings a gradient to, with some cuts opened."""
        tf.config.run_functions_eagerly(True)
        try:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(self.result(program, x, opened, ran) * [0.7, -1.1, 1.6])
            gradients = tape.gradient(loss, self.weights)
        finally:
            tf.config.run_functions_eagerly(False)
        return frozenset(
            name
            for name, gradient in gradients.items()
            if gradient is not None and tf.reduce_any(tf.convert_to_tensor(gradient) != 0.0)
        )


@dataclass(frozen=True, slots=True)
class _Machine:
    """Runs blocks; what decides over branches depends on the input alone."""

    x: Any
    opened: Collection[int]
    margin: float
    ran: set[int] = field(default_factory=set)
    """The cuts that were run."""

    def run(self, block: Block, values: Sequence[Any]) -> Any:
        """Return the sum of the last two values; each is a vector of three."""
        values = list(values)
        for statement in block:
            left, right = (_at(place, values) for place in (statement.left, statement.right))
            values.append(tf.ensure_shape(self._apply(statement, left, right, values), [3]))
        return values[-1] + 0.5 * values[-2]

    def _apply(self, statement: Statement, left: Any, right: Any, values: list[Any]) -> Any:
        if statement.cut is not None:
            return self._cut(statement, left)
        if statement.kind in UNARY:
            return UNARY[statement.kind](left)
        if statement.kind in JOINING:
            return _JOINED[statement.kind](left, right)
        if statement.kind == "recompute":  # what comes in by no argument gets no gradient there
            (block,) = statement.bodies
            return tf.recompute_grad(lambda *arguments: self.run(block, arguments))(*values, left)
        bodies = [self._body(block, values) for block in statement.bodies]
        return getattr(self, f"_{statement.kind}")(left, right, *bodies)

    def _cut(self, statement: Statement, left: Any) -> Any:
        assert statement.cut is not None
        self.ran.add(statement.cut)
        with tf.name_scope(f"cut{statement.cut}"):
            cut = UNARY[statement.kind](left) + 0.37
            return left + tf.stop_gradient(cut - left) if statement.cut in self.opened else cut

    def _body(self, block: Block, values: list[Any]) -> Callable[..., Any]:
        return lambda first: self.run(block, [*values, first])

    def _cond(self, left: Any, right: Any, first: Any, last: Any) -> Any:
        return tf.cond(self.x[0] > 0.0, lambda: first(left), lambda: last(right))

    def _case(self, left: Any, right: Any, first: Any, last: Any) -> Any:
        number = tf.cast(tf.argmax(self.x), tf.int32)
        return tf.switch_case(number, [lambda: first(left), lambda: last(right), lambda: left])

    def _call(self, left: Any, right: Any, body: Any) -> Any:
        return tf.function(lambda y, z: (body(y), z * y), autograph=False)(left, right)[0]

    def _twice(self, left: Any, _: Any, body: Any) -> Any:
        function = tf.function(body, autograph=False)
        return function(function(left))

    def _while(self, left: Any, _: Any, body: Any) -> Any:
        return tf.while_loop(
            lambda trip, _: trip < 2, lambda trip, y: (trip + 1, body(y) + 0.3 * y), (0, left)
        )[1]

    def _swap(self, left: Any, right: Any, body: Any) -> Any:
        return tf.while_loop(
            lambda trip, *_: trip < 3,
            lambda trip, y, z: (trip + 1, z - 0.2 * y, body(y) + 0.3 * z),
            (0, left, right),
        )[1]

    def _overwrite(self, left: Any, right: Any, body: Any) -> Any:
        return tf.while_loop(
            lambda trip, _: trip < 2, lambda trip, _: (trip + 1, body(right)), (0, left)
        )[1]

    def _map(self, left: Any, right: Any, body: Any) -> Any:
        return tf.reduce_sum(tf.map_fn(body, tf.stack([left, right])), 0)

    def _scan(self, left: Any, right: Any, body: Any) -> Any:
        rows = tf.stack([left, right])
        return tf.scan(lambda state, row: 0.5 * state + body(row), rows, tf.zeros([3]))[-1]

    def _fold(self, left: Any, right: Any, body: Any) -> Any:
        rows = tf.stack([left, right])
        return tf.foldl(lambda state, row: tf.tanh(state) + body(row), rows, tf.zeros([3]))

    def _fold_back(self, left: Any, right: Any, body: Any) -> Any:
        rows = tf.stack([left, right])
        return tf.foldr(lambda state, row: 0.5 * body(state) + row, rows)

    def _scan_on(self, left: Any, right: Any, body: Any) -> Any:
        rows = tf.stack([left, right])
        return tf.scan(lambda state, row: 0.5 * body(state) + row, rows)[-1]

    def _beside(self, left: Any, right: Any, body: Any) -> Any:
        first, last = tf.split(tf.tanh(tf.concat([left, right], 0)), 2)
        return first + body(last)

    def _rows(self, left: Any, right: Any, body: Any) -> Any:
        rows = 0.5 * tf.stack([left, right], 1)
        return tf.gather(rows, 0, axis=1) + body(rows[:, 1])

    def _margins(self, left: Any, right: Any, body: Any) -> Any:
        padded = tf.pad(left, [[2, 1]], constant_values=self.margin)
        with tf.name_scope(MARGIN):
            product = right * padded[5]
        return padded[:2][1] + product + body(padded[2:5])


def _at(place: int, values: list[Any]) -> Any:
    """Any value for a small place, one of the latest for a large one."""
    return values[place % len(values)] if place < 10 else values[-1 - place % min(3, len(values))]


_JOINED: dict[str, Callable[[Any, Any], Any]] = {
    "add": tf.add,
    "multiply": tf.multiply,
    "packed": lambda y, z: tf.tensordot([0.4, 1.3], tf.tanh(tf.stack([y, z])), 1),
    "halves": lambda y, z: tf.split(tf.concat([y, z], 0)[1:5], 2)[0][:1] * z + y,
}
