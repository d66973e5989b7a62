"""Random ways from an input to a table: the range that the graph gives is right, and no number is
missing from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.flow.lower.library import Library

pytestmark = pytest.mark.tensorflow

ROWS = 9
STEPS = (
    "cast float_and_back reshape transpose expand squeeze tile stack slice concat split "
    "reverse plus_2 "
    "minus_1 called cond loop where identity"
).split()


def steps() -> Mapping[str, Callable[[Any], Any]]:
    import tensorflow as tf

    return {
        "cast": lambda x: tf.cast(x, tf.int64),
        "float_and_back": lambda x: tf.cast(tf.cast(x, tf.float32), tf.int32),
        "reshape": lambda x: tf.reshape(x, [-1]),
        "transpose": tf.transpose,
        "expand": lambda x: x[:, None] if x.shape.rank else x,
        "squeeze": lambda x: tf.squeeze(tf.expand_dims(x, 0), 0),
        "tile": lambda x: tf.tile(tf.reshape(x, [-1]), [2]),
        "stack": lambda x: tf.unstack(tf.stack([x, x]))[1],
        "slice": lambda x: x[:2],
        "concat": lambda x: tf.concat([x, x], 0),
        "split": lambda x: tf.split(tf.concat([x, x], 0), 2)[0],
        "reverse": lambda x: tf.reverse(x, [0]),
        "plus_2": lambda x: x + 2,
        "minus_1": lambda x: x - 1,
        "called": tf.function(lambda x: tf.identity(x)),
        "cond": lambda x: tf.cond(tf.size(x) > 100, lambda: x, lambda: tf.identity(x)),
        "loop": lambda x: tf.while_loop(
            lambda i, _: i < 2, lambda i, y: (i + 1, tf.identity(y)), (0, x)
        )[1],
        "where": lambda x: tf.where(tf.ones_like(x) > 0, x, x),
        "identity": tf.identity,
    }


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=6))
def test_the_range_of_an_index_is_exact(names: list[str]) -> None:
    import tensorflow as tf

    from gradflow.flow.input_use.follow import graph_uses
    from gradflow.flow.lower.library import library_of

    table, known = tf.constant([[float(row)] for row in range(ROWS)]), steps()

    @tf.function(input_signature=[tf.TensorSpec([4], tf.int32)])
    def look_up(x: Any) -> Any:
        for name in names:
            x = known[name](x)
        return tf.gather(table, x)

    concrete = look_up.get_concrete_function()
    graph_def = concrete.graph.as_graph_def()
    library: Library = library_of(graph_def)
    use = graph_uses(library, graph_def, {concrete.inputs[0].op.name: "x"}).by_input["x"]
    shift = 2 * names.count("plus_2") - names.count("minus_1")
    assert use.is_index
    assert (use.low, use.high) == (max(0, -shift), ROWS - shift)
    look_up(tf.fill([4], use.low))
    look_up(tf.fill([4], use.high - 1))
    with pytest.raises(tf.errors.InvalidArgumentError):
        look_up(tf.fill([4], use.high))
