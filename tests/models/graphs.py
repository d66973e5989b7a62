"""SavedModels of TensorFlow 1, each saved from a session: the graphs that TensorFlow 2 shows no
variables of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
Tensors = Mapping[str, Any]
Built = tuple[Tensors, Tensors]
"""The inputs and the outputs of the signature."""


def save_graph(
    folder: Path, build: Callable[[], Built], *, clear: tuple[str, ...] = (), is_old: bool = True
) -> None:
    """Build a graph, draw its variables and save it with one signature.

    ``clear`` names the collections that are left out; ``is_old`` whether loops and conditions are
    ops of their own, or the functions of late versions of it.
    """
    with (
        control_flow_of_tensorflow_1() if is_old else nullcontext(),
        tf.Graph().as_default() as graph,
        v1.Session(graph=graph) as session,
    ):
        v1.set_random_seed(0)
        inputs, outputs = build()
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        for name in clear:
            graph.clear_collection(name)
        builder = v1.saved_model.Builder(str(folder))
        signatures = {"serving_default": v1.saved_model.predict_signature_def(inputs, outputs)}
        saver = v1.train.Saver(variables()) if clear else None
        builder.add_meta_graph_and_variables(
            session, ["serve"], signatures, main_op=v1.tables_initializer(), saver=saver
        )
        builder.save()


@contextmanager
def control_flow_of_tensorflow_1() -> Any:
    """Make conds and loops of Switch, Merge, Enter and Exit."""
    v1.disable_control_flow_v2()
    try:
        yield
    finally:
        v1.enable_control_flow_v2()


def variable(name: str, shape: list[int], **more: Any) -> Any:
    return v1.get_variable(
        name, shape, initializer=v1.random_normal_initializer(seed=len(name)), **more
    )


def variables() -> list[Any]:
    """What there is to save, also where the collections do not tell."""
    return _MADE[v1.get_default_graph()]


_MADE: dict[Any, list[Any]] = {}


def _x(size: int = 3) -> Any:
    return v1.placeholder(tf.float32, [None, size], name="x")


def references() -> Built:
    """Variables of the reference type, one behind a stop_gradient, one unused, one not trained."""
    x = _x()
    kept, stopped = (
        variable("kept", [3, 2], use_resource=False),
        variable("stopped", [3, 2], use_resource=False),
    )
    variable("unused", [3], use_resource=False)
    scale = variable("scale", [2], use_resource=False, trainable=False)
    return {"x": x}, {"y": tf.matmul(x, kept) * scale + tf.stop_gradient(tf.matmul(x, stopped))}


def resources() -> Built:
    """The same of the resource type."""
    x = _x()
    kept, stopped = (
        variable("kept", [3, 2], use_resource=True),
        variable("stopped", [3, 2], use_resource=True),
    )
    variable("unused", [3], use_resource=True)
    return {"x": x}, {"y": tf.matmul(x, kept) + tf.round(tf.matmul(x, stopped))}


def cut_in_a_row() -> Built:
    """Behind an index, then behind a stop_gradient; in a second way behind something dead."""
    x = _x()
    a, b, c, dead = (variable(name, [3, 3], use_resource=True) for name in ("a", "b", "c", "dead"))
    chosen = tf.one_hot(tf.argmax(tf.matmul(x, a), -1), 3)
    y = tf.matmul(tf.stop_gradient(tf.matmul(chosen, b)), c)
    return {"x": x}, {"y": y + 0.0 * tf.floor(tf.matmul(x, dead))}


def trained_with_adam() -> Built:
    """What an optimizer and a moving average keep, and a step counter that is a float."""
    x = _x()
    w, b = (
        variable("layer/w", [3, 2], use_resource=False),
        variable("layer/b", [2], use_resource=False),
    )
    y = tf.matmul(x, w) + b
    step = v1.get_variable(
        "global_step", [], tf.float32, v1.zeros_initializer(), trainable=False, use_resource=False
    )
    average = tf.train.ExponentialMovingAverage(0.9)
    with tf.control_dependencies(
        [v1.train.AdamOptimizer().minimize(tf.reduce_sum(y * y), global_step=step)]
    ):
        average.apply([w, b])
    return {"x": x}, {"y": y}


def complex_output() -> Built:
    """The real and the imaginary part of an output move against each other."""
    x = _x()
    a, b = variable("a", [3], use_resource=False), variable("b", [3], use_resource=False)
    return {"x": x}, {"y": tf.complex(x * a, -x * a), "z": x * b}


def borrowed_gradients() -> Built:
    """Ops that take over the gradient of another type: an open one, a cut, one that is zero."""
    x = _x()
    opened, stopped, zero, b = (
        variable(name, [3], use_resource=False) for name in ("opened", "stopped", "zero", "b")
    )
    borrow = v1.get_default_graph().gradient_override_map
    with borrow({"Round": "Identity"}):
        y = tf.round(x * opened)
    with borrow({"Tanh": "Round"}):
        y += tf.tanh(x * stopped)
    with borrow({"Tanh": "Sign"}):
        y += tf.tanh(x * zero)
    return {"x": x}, {"y": y + x * b}


def partitioned() -> Built:
    """One variable in two parts."""
    x = _x(4)
    with v1.variable_scope("tower", partitioner=v1.fixed_size_partitioner(2)):
        w = variable("w", [4, 2], use_resource=False)
    return {"x": x}, {"y": tf.matmul(x, tf.convert_to_tensor(w))}


def table_and_embedding() -> Built:
    """Words through a lookup table into an embedding, of which few rows are used."""
    words = v1.placeholder(tf.string, [None], name="words")
    keys, values = tf.constant(["a", "b", "some", "words"]), tf.constant([0, 1, 2, 3], tf.int64)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), 4)
    rows = variable("rows", [5, 2], use_resource=False)
    return {"words": words}, {"y": tf.nn.embedding_lookup(rows, table.lookup(words))}


def partitioned_embedding() -> Built:
    """Neighbouring rows in the same part: what few ids look up leaves other parts without a single
    row."""
    ids = v1.placeholder(tf.int64, [None, 2], name="ids")
    parts = [variable(f"part_{number}", [4, 2], use_resource=False) for number in range(3)]
    return {"ids": ids}, {"y": v1.nn.embedding_lookup(parts, ids, partition_strategy="div")}


def sparse() -> Built:
    """A sparse input, which a signature takes as three tensors."""
    x = v1.sparse_placeholder(tf.float32, [None, 6], name="x")
    return {"x": x}, {
        "y": v1.sparse_tensor_dense_matmul(x, variable("w", [6, 2], use_resource=False))
    }


def loop() -> Built:
    """A loop: its state, a weight in its body, and one that only decides how often it is run."""
    x = _x()
    inside, limit = (
        variable("inside", [3], use_resource=False),
        variable("limit", [], use_resource=False),
    )
    trips = tf.cast(2.0 + tf.abs(limit), tf.int32)
    _, y = v1.while_loop(
        lambda step, _: step < trips, lambda step, y: (step + 1, tf.tanh(y * inside)), (0, x)
    )
    return {"x": x}, {"y": y}


def loop_without_backpropagation() -> Built:
    """A loop that is told to let no gradient in, beside a way around it."""
    x = _x()
    inside, around = (variable(name, [3], use_resource=False) for name in ("inside", "around"))
    body = lambda step, y: (step + 1, tf.tanh(y * inside))  # noqa: E731 -- as people write it
    _, y = v1.while_loop(lambda step, _: step < 3, body, (0, x * around), back_prop=False)
    return {"x": x}, {"y": y + x * around}


def loop_beside_dead() -> Built:
    """A recurrence, with a condition in a loop of its own, beside a unit that is never active."""
    x = _x()
    inside, dead, around = (
        variable(name, [3], use_resource=False) for name in ("inside", "dead", "around")
    )
    _, state = v1.while_loop(
        lambda step, _: step < 3, lambda step, y: (step + 1, tf.tanh(y * inside)), (0, x)
    )

    def other(step: Any, y: Any) -> Any:
        return step + 1, tf.cond(step > 0, lambda: tf.tanh(y * inside), lambda: y + inside)

    _, switched = v1.while_loop(lambda step, _: step < 3, other, (0, x))
    hidden = tf.nn.relu(-tf.abs(x * dead) - 1.0)
    return {"x": x}, {"y": state + switched + hidden + x * around}


def scan() -> Built:
    """A loop that keeps its steps in arrays, as every recurrent network of TensorFlow 1 does."""
    x = v1.placeholder(tf.float32, [None, 5, 3], name="x")
    w = variable("w", [3], use_resource=False)
    steps = tf.transpose(x, [1, 0, 2])
    return {"x": x}, {
        "y": tf.scan(lambda state, step: tf.tanh(state * w + step), steps, tf.zeros_like(steps[0]))
    }


def branches(resource: bool) -> Callable[[], Built]:
    """A cond whose second branch is run, with a weight in each; one that is dead on a way through
    the run branch."""

    def build() -> Built:
        x = _x()
        first, second, dead = (
            variable(name, [3], use_resource=resource) for name in ("first", "second", "dead")
        )
        hidden = tf.nn.relu(dead * 0.0 - 1.0)
        y = tf.cond(tf.reduce_sum(x * 0.0) > 0.0, lambda: x * first, lambda: x * second + hidden)
        return {"x": x}, {"y": y}

    return build


def frozen() -> Built:
    """The weights are constants of the graph."""
    x = _x()
    return {"x": x}, {"y": tf.matmul(x, tf.constant(np.ones([3, 2], np.float32)))}


def inner_feed() -> Built:
    """The signature feeds a tensor inside the graph: what stands before it is not used."""
    x = _x()
    before, after = (
        variable("before", [3, 3], use_resource=False),
        variable("after", [3, 2], use_resource=False),
    )
    hidden = tf.matmul(x, before)
    return {"hidden": hidden}, {"y": tf.matmul(hidden, after), "hidden_again": hidden * 2.0}


def normalized() -> Built:
    """A BatchNormalization as TensorFlow 1 writes it, with moving averages that are not trained."""
    x = _x()
    gamma = variable("bn/gamma", [3], use_resource=False)
    mean = variable("bn/moving_mean", [3], use_resource=False, trainable=False)
    spread = v1.get_variable(
        "bn/moving_variance", [3], initializer=v1.ones_initializer(), trainable=False
    )
    return {"x": x}, {"y": tf.nn.batch_normalization(x, mean, spread, None, gamma, 1e-3)}


def normalized_by_the_batch() -> Built:
    """A bias right before a BatchNormalization in training: its gradient is zero by mathematics."""
    x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="x")
    kernel, bias = (
        variable("kernel", [1, 1, 3, 5], use_resource=False),
        variable("bias", [5], use_resource=False),
    )
    gamma, beta = (
        variable("gamma", [5], use_resource=False),
        variable("beta", [5], use_resource=False),
    )
    hidden = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)
    y, _, _ = v1.nn.fused_batch_norm(hidden, gamma, beta, is_training=True)
    return {"x": x}, {"y": y}


def shifted_before_moments() -> Built:
    """A bias before a normalization that is written out, as TensorFlow 1 does for all but images;
    ``kept`` is not."""
    x = _x()
    w, bias = variable("w", [3, 4], use_resource=False), variable("bias", [4], use_resource=False)
    beta, kept = (
        variable("beta", [4], use_resource=False),
        variable("kept", [4], use_resource=False),
    )
    hidden = tf.matmul(x, w) + bias
    mean, spread = tf.nn.moments(hidden, [0])
    return {"x": x}, {
        "y": tf.tanh(tf.nn.batch_normalization(hidden, mean, spread, beta, None, 1e-3) + kept)
    }


def zero_head(resource: bool) -> Callable[[], Built]:
    """A head that starts at zero over ``body``; ``dead`` stays dead however it moves."""

    def build() -> Built:
        x = _x()
        body, dead = (
            variable("body", [3, 4], use_resource=resource),
            variable("dead", [3, 4], use_resource=resource),
        )
        head = v1.get_variable(
            "head", [4, 2], initializer=v1.zeros_initializer(), use_resource=resource
        )
        hidden = tf.tanh(tf.matmul(x, body)) + tf.nn.relu(tf.matmul(x, dead) * 0.0 - 1.0)
        return {"x": x}, {"y": tf.matmul(hidden, head)}

    return build


def zeros_in_a_row() -> Built:
    """``last`` starts first, then ``middle``, then ``body``; ``left`` and ``right`` never do."""
    x = _x()

    def zeros(name: str) -> Any:
        return v1.get_variable(name, [3], initializer=v1.zeros_initializer(), use_resource=True)

    body = variable("body", [3], use_resource=True)
    chain = (tf.tanh(x * body) * zeros("middle") + x) * zeros("last")
    return {"x": x}, {"y": chain + x * zeros("left") * zeros("right")}


def save_without_collections(folder: Path) -> None:
    """A graph that says nothing of which of its variables are trained."""
    save_graph(folder, _recorded(trained_with_adam), clear=("trainable_variables", "variables"))


def _recorded(build: Callable[[], Built]) -> Callable[[], Built]:
    def built() -> Built:
        made = build()
        _MADE[v1.get_default_graph()] = v1.global_variables()
        return made

    return built


def save_two_graphs(folder: Path) -> None:
    """A graph to serve and one to train, as a module of TensorFlow Hub has them: only the second
    uses ``noise``."""
    builder = v1.saved_model.Builder(str(folder))
    for training in (False, True):
        with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
            x = _x()
            w, noise = (
                variable("w", [3], use_resource=False),
                variable("noise", [3], use_resource=False),
            )
            y = x * w + noise if training else x * w
            signatures = {"default": v1.saved_model.predict_signature_def({"x": x}, {"y": y})}
            if training:
                builder.add_meta_graph(["train"], signatures)
            else:
                session.run(v1.global_variables_initializer())
                builder.add_meta_graph_and_variables(session, ["serve"], signatures)
    builder.save()


def save_op_without_gradient(folder: Path) -> None:
    """``behind`` stands behind an op for which TensorFlow has no gradient: a bare script loses both
    weights."""

    def build() -> Built:
        x = _x()
        beside, behind = (
            variable("beside", [3], use_resource=False),
            variable("behind", [3], use_resource=False),
        )
        return {"x": x}, {"y": x * beside + tf.reduce_sum(tf.unique(behind)[0])}

    save_graph(folder, build)


def random_batch(size: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal((4, size)).astype(np.float32)
