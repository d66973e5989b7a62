"""A SavedModel whose random ops have no seed gives the same report each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradflow.findings import Variable
from gradflow.options import Options
from tests.agreement.subject import analysed

pytestmark = pytest.mark.tensorflow


def dropped(x: Any, a: Any, b: Any) -> Any:
    import tensorflow as tf

    return tf.nn.dropout(x * a, 0.5) + b


def dropped_as_a_whole(x: Any, a: Any, b: Any) -> Any:
    import tensorflow as tf

    return tf.cond(tf.random.uniform([]) < 0.5, lambda: x * a, lambda: x) + b


def noisy_in_a_loop(x: Any, a: Any, b: Any) -> Any:
    import tensorflow as tf

    def body(trip: Any, y: Any) -> Any:
        return trip + 1, tf.tanh(y * a + tf.random.normal([2, 3])) * tf.nn.dropout(b, 0.5)

    return tf.while_loop(lambda trip, _: trip < 3, body, (0, x))[1]


def shuffled(x: Any, a: Any, b: Any) -> Any:
    import tensorflow as tf

    return (tf.random.shuffle(x) * a)[:1] + tf.nn.relu(b * tf.random.truncated_normal([3]))


CALLS = [dropped, dropped_as_a_whole, noisy_in_a_loop, shuffled]


@pytest.mark.parametrize("call", CALLS)
def test_the_same_file_and_seed_give_the_same_gradients(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.a = tf.Variable([1.0, 2.0, 3.0], name="a")
    module.b = tf.Variable([0.5, -0.5, 0.25], name="b")

    def serve(x: Any) -> Any:
        return call(x, module.a, module.b)

    tf.random.set_seed(None)
    module.serve = tf.function(serve, input_signature=[tf.TensorSpec([2, 3], tf.float32, name="x")])
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    assert seen(tmp_path, 0) == seen(tmp_path, 0)
    assert seen(tmp_path, 0) != seen(tmp_path, 1)


def test_a_graph_of_tensorflow_1_does_too(tmp_path: Path) -> None:
    import tensorflow as tf

    v1, folder = tf.compat.v1, tmp_path / "model"
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [2, 3], name="x")
        a = v1.get_variable("a", initializer=tf.constant([1.0, 2.0, 3.0]))
        y = tf.identity(v1.nn.dropout(x * a, rate=0.5), name="y")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    assert seen(folder, 0) == seen(folder, 0)
    assert seen(folder, 0) != seen(folder, 1)


def seen(folder: Path, seed: int) -> tuple[Variable, ...]:
    """What a report says of the variables."""
    report = analysed(folder, Options(seed=seed)).report
    assert report.error is None
    return report.variables
