"""The remedies of single ops can be pasted: they run, give the op's value, and pass a gradient."""

from __future__ import annotations

from typing import Any

import pytest

from gradflow.catalogue.op_fixes import OP_FIXES, OpFix, fix_of
from gradflow.ops.table import op_types

NAMED = [op_type for item in OP_FIXES for op_type in item.op_types]
X = [0.3, 1.2, 2.7]
Y = [0.5, 1.2, 2.0]
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "choice": (X,),
    "drawn": (X, [0.5, 0.5, 0.5]),
    "position": (X, [1.0, 2.0]),
    "histogram": (X, [0.0, 1.0, 2.0, 3.0]),
    "masked": (X, X),
    "less": (X, Y),
    "greater": (X, Y),
    "equal": (X, Y),
    "unequal": (X, Y),
    "quotient": (X, Y),
}
VALUES = {
    "less": [1.0, 0.0, 0.0],
    "greater": [0.0, 0.0, 1.0],
    "equal": [0.0, 1.0, 0.0],
    "unequal": [1.0, 0.0, 1.0],
    "rounded": [0.0, 1.0, 3.0],
    "floored": [0.0, 1.0, 2.0],
    "raised": [1.0, 2.0, 3.0],
    "quotient": [0.0, 1.0, 1.0],
    "whole": [0.0, 1.0, 2.0],
    "sign": [1.0, 1.0, 1.0],
    "cleaned": X,
}


def name_of(item: OpFix) -> str:
    return item.op_types[0]


def test_each_op_is_one_of_tensorflow_and_has_one_fix() -> None:
    assert len(NAMED) == len(set(NAMED))
    assert set(NAMED) <= op_types()
    assert len({item.code for item in OP_FIXES if item.code.startswith("def")}) > 15


def test_a_comparison_and_a_rounding_have_fixes_of_their_own() -> None:
    less, rounded = fix_of("GF202", "Less"), fix_of("GF202", "Round")

    assert less is not None
    assert rounded is not None
    assert "sigmoid of the difference" in less.fix
    assert "straight through" in rounded.fix
    assert [len(item.code.splitlines()) for item in (less, rounded)] == [3, 3]


def test_another_code_or_op_has_none() -> None:
    assert fix_of("GF303", "Sign") is None
    assert fix_of("GF202", None) is None
    assert fix_of("GF202", "MatrixRank") is None


@pytest.mark.parametrize("item", OP_FIXES, ids=name_of)
def test_words_are_short_enough(item: OpFix) -> None:
    assert item.fix
    assert not item.fix.endswith(".")
    assert "\n" not in item.fix
    # Under "fix: ", in 80 columns.
    assert all(len(line) <= 73 for line in item.code.splitlines())


@pytest.mark.tensorflow
@pytest.mark.parametrize("item", [item for item in OP_FIXES if "def " in item.code], ids=name_of)
def test_the_code_runs_and_lets_a_gradient_by(item: OpFix) -> None:
    import tensorflow as tf

    functions: dict[str, Any] = {"tf": tf}
    exec(item.code, functions)
    (name,) = [name for name in functions if name not in ("tf", "__builtins__")]
    function = functions[name]
    number = function.__code__.co_argcount - len(function.__defaults__ or ())
    arguments = [tf.constant(value) for value in ARGUMENTS.get(name, (X,))[:number]]
    *_, source = arguments if name in ("drawn", "masked") else arguments[:1]

    with tf.GradientTape() as tape:
        tape.watch(source)
        value = function(*arguments)
        # Each entry with another weight: a softmax sums to one, whatever goes in.
        weights = tf.cast(tf.range(tf.size(value)) + 1, tf.float32)
        total = tf.reduce_sum(tf.reshape(value, [-1]) * weights)
    gradient = tape.gradient(total, source)

    assert gradient is not None
    assert bool(tf.reduce_all(tf.math.is_finite(gradient)))
    assert float(tf.reduce_max(tf.abs(gradient))) > 0.0
    if name in VALUES:
        assert value.numpy().tolist() == pytest.approx(VALUES[name], abs=1e-6)


@pytest.mark.tensorflow
@pytest.mark.parametrize("item", [item for item in OP_FIXES if "assign" in item.code], ids=name_of)
def test_the_value_itself_carries_the_gradient_beside_an_assignment(item: OpFix) -> None:
    import tensorflow as tf

    state, x = tf.Variable([1.0, 2.0]), tf.constant([3.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        names: dict[str, Any] = {"tf": tf, "state": state, "x": x}
        exec(item.code, names)
        total = tf.reduce_sum(names["output"])

    assert tape.gradient(total, x) is not None
    assert state.numpy().tolist() == names["value"].numpy().tolist()
