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


@pytest.mark.parametrize("is_keras", [False, True])
def test_a_function_that_was_called_before_is_seeded_too(is_keras: bool) -> None:
    """In memory: its trace has what it drew its seeds from before gradflow came."""
    import keras
    import tensorflow as tf

    import gradflow

    class Drop(keras.layers.Layer if is_keras else tf.Module):  # type: ignore[misc]
        @tf.function
        def inner(self, x: Any) -> Any:
            return tf.nn.dropout(x * self.a, 0.5) + tf.random.normal([3])

        @tf.function
        def call(self, x: Any) -> Any:
            return self.inner(x)

    part = Drop()
    part.a = tf.Variable([1.0, 2.0, 3.0])
    if is_keras:
        part.a = part.add_weight(shape=[3], initializer="ones", name="a")
        x = keras.Input([3])
        model: Any = keras.Model(x, part(x))
        options: dict[str, Any] = {}
    else:
        model, options = part, {"entry": "call", "inputs": {"x": "float32[2,3]"}}

    def norms(seed: int) -> list[float]:
        report = gradflow.inspect(model, seed=seed, **options).models[0]
        return [item.gradient.norm for item in report.variables if item.gradient is not None]

    first = norms(0)
    traces = len(part.call._list_all_concrete_functions())
    part.call(tf.ones([2, 3]))
    assert norms(0) == first
    assert norms(1) != first
    assert len(part.call._list_all_concrete_functions()) <= traces + 1


@pytest.mark.parametrize("is_loaded", [False, True])
@pytest.mark.parametrize("draws", [False, True])
def test_a_trace_that_has_no_code_is_said_to_draw(
    draws: bool, is_loaded: bool, tmp_path: Path
) -> None:
    import tensorflow as tf

    import gradflow

    module, inner = tf.Module(), tf.Module()
    inner.a = module.a = tf.Variable([1.0, 2.0, 3.0])

    def call(x: Any) -> Any:
        return tf.nn.dropout(x * inner.a, 0.5) if draws else x * inner.a

    inner.call = tf.function(call, input_signature=[tf.TensorSpec([2, 3], tf.float32, name="x")])
    tf.random.set_seed(None)
    if is_loaded:
        tf.saved_model.save(inner, str(tmp_path))
        module.loaded = tf.saved_model.load(str(tmp_path))  # it keeps the variables alive
        module.call = module.loaded.call
    else:
        held = inner.call.get_concrete_function()
        module.call = lambda x: held(x)
    report = gradflow.inspect(module, entry="call", inputs={"x": "float32[2,3]"}).models[0]
    assert report.error is None
    said = ", random ops of an earlier trace draw anew each time" if draws else ""
    assert report.entry == f"call{said}"


def test_what_is_loaded_of_a_file_is_asked_for_by_its_path(tmp_path: Path) -> None:
    import tensorflow as tf

    import gradflow

    tf.saved_model.save(tf.Module(), str(tmp_path))
    error = gradflow.inspect(tf.saved_model.load(str(tmp_path))).models[0].error
    assert error is not None and error.hint == "give the path that it was loaded from"


def test_what_the_user_draws_afterwards_is_as_if_nothing_had_been() -> None:
    import tensorflow as tf

    import gradflow

    module = tf.Module()
    module.a = tf.Variable([1.0, 2.0, 3.0])
    module.call = lambda x: tf.nn.dropout(x * module.a, 0.5)

    def drawn(look: Callable[[], object]) -> list[float]:
        tf.random.set_seed(7)
        values = [float(tf.random.uniform([]))]
        look()
        return [*values, float(tf.random.uniform([])), float(tf.random.uniform([]))]

    def look() -> None:
        gradflow.inspect(module, entry="call", inputs={"x": "float32[2,3]"})

    try:
        assert drawn(look) == drawn(lambda: None)
    finally:
        tf.random.set_seed(None)
