"""A step that is watched is left as it was, and so are TensorFlow and Keras."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import gradflow
from gradflow.findings import NodeState, Verdict
from tests.training.mistakes import DATA, dense, sgd, square

pytestmark = pytest.mark.tensorflow


def _attributes() -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield every attribute of every module and class of TensorFlow and Keras."""
    for name, module in list(sys.modules.items()):
        if not name.startswith(("tensorflow", "keras", "tf_keras")) or module is None:
            continue
        for attribute, value in list(vars(module).items()):
            yield (name, attribute), id(value)
            if inspect.isclass(value) and str(value.__module__).startswith(("tensorflow", "keras")):
                for inner, part in list(vars(value).items()):
                    if not inner.startswith(("_abc", "__")) or inner == "__call__":
                        yield (name, attribute, inner), id(part)


def _step() -> tuple[Any, Any]:
    layer, optimizer = dense(1, "layer"), sgd()

    @tf.function
    def step(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = square(layer(batch) - 1.0)
        optimizer.apply(tape.gradient(loss, layer.weights), layer.weights)
        return loss

    return step, layer


def test_tensorflow_and_keras_are_left_as_they_were() -> None:
    step, _ = _step()
    with gradflow.watch():
        step(tf.constant(DATA))  # whatever is imported late is there now
    before = dict(_attributes())

    with gradflow.watch() as outer:
        with gradflow.watch() as inner:
            step(tf.constant(DATA))
        assert dict(_attributes()) != before
        step(tf.constant(DATA))
    assert dict(_attributes()) == before
    assert len(inner.report.models[0].variables) == len(outer.report.models[0].variables) == 2

    with pytest.raises(ZeroDivisionError), gradflow.watch() as broken:
        step(tf.constant(DATA))
        raise ZeroDivisionError
    assert dict(_attributes()) == before
    with pytest.raises(gradflow.UsageError, match="there is no report"):
        _ = broken.report

    with pytest.raises(ZeroDivisionError), gradflow.watch(), tf.GradientTape():
        raise ZeroDivisionError
    assert dict(_attributes()) == before


def test_random_numbers_are_left_as_they_were() -> None:
    def drawn(*, is_watched: bool) -> list[bytes]:
        keras.utils.set_random_seed(5)
        layer, optimizer = dense(1, "layer"), sgd()

        def noisy(batch: Any) -> None:
            with tf.GradientTape() as tape:
                loss = square(layer(batch + tf.random.normal([6, 3])) - np.random.normal())
            optimizer.apply(tape.gradient(loss, layer.weights), layer.weights)

        traced = tf.function(noisy)
        results = []
        for number in range(4):
            data = tf.constant(DATA) + tf.random.normal([6, 3])
            if is_watched and number in (1, 2):
                with gradflow.watch():
                    noisy(data)
                    traced(data)
            else:
                noisy(data)
                traced(data)
            results += [weight.numpy().tobytes() for weight in layer.weights]
        return [*results, np.random.normal(size=2).tobytes()]

    assert drawn(is_watched=True) == drawn(is_watched=False)


def test_an_iterator_gives_each_batch_once() -> None:
    step, _ = _step()
    read: list[float] = []
    batches = tf.data.Dataset.from_tensor_slices(np.arange(18.0, dtype="float32").reshape(6, 1, 3))
    iterator = iter(batches.prefetch(2))

    @tf.function
    def train(batches: Any) -> Any:
        batch = next(batches)
        step(batch)
        return batch[0, 0]

    for number in range(6):
        if number % 2:
            with gradflow.watch() as watched:
                read.append(float(train(iterator)))
            assert {item.verdict for item in watched.report.models[0].variables} == {Verdict.FLOWS}
        else:
            read.append(float(train(iterator)))
    assert read == [0.0, 3.0, 6.0, 9.0, 12.0, 15.0]


def test_what_a_function_reads_by_itself_is_read_once() -> None:
    """A second run would take the batch that the user's next step is to get."""
    layer, optimizer = dense(1, "layer"), sgd()
    rows = tf.data.Dataset.from_tensor_slices(np.arange(18.0, dtype="float32").reshape(6, 1, 3))
    tf.random.set_seed(0)
    iterator, shuffled = iter(rows), rows.shuffle(6, seed=1)

    def train(batch: Any) -> None:
        with tf.GradientTape() as tape:
            loss = square(layer(batch) - 1.0)
        optimizer.apply(tape.gradient(loss, layer.weights), layer.weights)

    @tf.function
    def step() -> Any:
        batch = next(iterator)
        train(batch)
        return batch[0, 0]

    @tf.function
    def epoch() -> Any:
        order = tf.zeros([])
        for batch in shuffled:
            train(batch)
            order = 2.0 * order + batch[0, 0]
        return order

    read, orders = [], []
    for number in range(4):
        if number % 2:
            for function, results in ((step, read), (epoch, orders)):
                with gradflow.watch() as watched:
                    results.append(float(function()))
                [model] = watched.report.models
                assert {item.verdict for item in model.variables} == {Verdict.FLOWS}
                assert "not looked into: " in str(model.entry)
        else:
            read.append(float(step()))
            orders.append(float(epoch()))
    assert read == [0.0, 3.0, 6.0, 9.0]
    again = rows.shuffle(6, seed=1)
    assert orders == [
        float(again.reduce(0.0, lambda order, batch: 2.0 * order + batch[0, 0])) for _ in range(4)
    ]


def test_the_next_report_on_a_function_needs_no_trace() -> None:
    layer, other, optimizer, traces = dense(3, "layer"), dense(1, "other"), sgd(), [0]
    optimizer.build(layer.weights + other.weights)

    @tf.function
    def step(batch: Any) -> None:
        traces[0] += 1
        with tf.GradientTape() as tape:
            loss = square(other(layer(batch)) - 1.0)
        weights = layer.trainable_weights + other.trainable_weights
        optimizer.apply(tape.gradient(loss, weights), weights)

    def norms(scale: float) -> list[Any]:
        with gradflow.watch() as watched:
            step(scale * tf.constant(DATA))
        [model] = watched.report.models
        return [variable.gradient and variable.gradient.norm for variable in model.variables]

    first, second = norms(1.0), norms(2.0)
    assert traces == [2]
    assert first != second and None not in (*first, *second)
    layer.trainable = False  # what it asks for now is to be compared with what was traced
    norms(1.0)
    assert traces == [3]


def test_a_gradient_behind_an_update_is_that_of_the_updated_weights() -> None:
    layer, optimizer = dense(1, "layer", kernel_initializer="ones"), sgd(1.0)

    @tf.function
    def step(batch: Any) -> Any:
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(batch)) ** 2
            gradient = tape.gradient(loss, layer.kernel)
            optimizer.apply([gradient], [layer.kernel])
        return tf.norm(gradient)

    with gradflow.watch() as watched:
        step(tf.ones([1, 3]))
    # Three weights of 1 have a gradient of 6 each in the first turn.
    [kernel] = [item for item in watched.report.models[0].variables if item.name == "layer/kernel"]
    assert kernel.gradient is not None
    assert kernel.gradient.norm == pytest.approx(6 * 3**0.5, abs=0.01)
    assert layer.kernel.numpy()[0, 0] == pytest.approx(25.0)  # 1 - 6 + 30


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_exception_inside_of_a_trace_leaves_everything_as_it_was(error: Any) -> None:
    layer = dense(1, "layer")

    @tf.function
    def step(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = square(layer(batch) - 1.0)
        tape.gradient(loss, layer.weights)
        raise error

    with pytest.raises(error), gradflow.watch():
        pass_on = dict(_attributes())
        with gradflow.watch():
            step(tf.constant(DATA))
    before = dict(_attributes())
    assert before != pass_on
    with pytest.raises(error), gradflow.watch(), gradflow.watch():
        step(tf.constant(DATA))
    assert dict(_attributes()) == before


def test_a_function_that_cannot_be_traced_again_is_unknown() -> None:
    weight, traces = tf.Variable(tf.ones([3]), name="weight"), [0]

    @tf.function
    def step(batch: Any) -> None:
        traces[0] += 1
        if traces[0] > 1:
            raise RuntimeError("it is traced once only")
        with tf.GradientTape() as tape:
            loss = square(batch * weight)
        weight.assign_sub(tape.gradient(loss, weight))

    with gradflow.watch() as watched:
        step(tf.constant(DATA))
    [model] = watched.report.models
    assert [(item.name, item.verdict) for item in model.variables] == [("weight", Verdict.UNKNOWN)]
    assert watched.moved == {"weight": True}
    assert "once more: RuntimeError: it is traced once only" in str(model.entry)


def test_of_a_tape_that_began_before_no_cause_is_claimed() -> None:
    first, second = tf.Variable(tf.ones([3])), tf.Variable(tf.ones([3]))
    with tf.GradientTape() as tape:
        loss = square(first * tf.round(second))
        with gradflow.watch() as watched:
            first.assign_sub(tape.gradient(2.0 * loss, [first, second])[0])
    [model] = watched.report.models
    assert [item.verdict for item in model.variables] == [Verdict.FLOWS, Verdict.NONE]
    assert [item.causes for item in model.variables] == [(), ()]
    assert "a tape that began to record before watch() did" in str(model.entry)


@pytest.mark.parametrize("name", ["SGD", "legacy.SGD", "GradientDescentOptimizer"])
def test_each_kind_of_optimizer_is_heard(name: str) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    kinds = {
        "SGD": tf_keras.optimizers.SGD,
        "legacy.SGD": tf_keras.optimizers.legacy.SGD,
        "GradientDescentOptimizer": tf.compat.v1.train.GradientDescentOptimizer,
    }
    first, second = (tf.Variable(tf.ones([3]), name=name) for name in ("first", "second"))

    def loss() -> Any:
        return square(first * second * DATA)

    with gradflow.watch() as watched:
        kinds[name](0.1).minimize(loss, var_list=[first])
    [model] = watched.report.models
    assert {item.name: item.verdict for item in model.variables} == {
        "first": Verdict.FLOWS,
        "second": Verdict.NONE,
    }
    assert f"{name.rpartition('.')[2]} got 1 weight" in str(model.entry)
    assert [finding.code for finding in model.findings] == ["GF502"]


def test_what_cannot_be_looked_into_is_unknown_with_its_reason() -> None:
    step, layer = _step()
    concrete = step.get_concrete_function(tf.constant(DATA))
    with gradflow.watch(layer) as watched:
        concrete(tf.constant(DATA))
    [model] = watched.report.models
    assert {item.verdict for item in model.variables} == {Verdict.UNKNOWN}
    assert "holds a trace and no code to trace anew" in str(model.entry)


def test_the_report_says_where_other_random_numbers_are_drawn() -> None:
    layer, drop, optimizer = dense(1, "layer"), keras.layers.Dropout(0.5, seed=1), sgd()

    def step(batch: Any) -> None:
        with tf.GradientTape() as tape:
            loss = square(layer(drop(batch, training=True)))
        optimizer.apply(tape.gradient(loss, layer.weights), layer.weights)

    def noisy(batch: Any) -> None:
        step(batch + tf.random.normal([6, 3]))

    told = {}
    for name, function in {
        "alike": tf.function(step),
        "drawn": tf.function(noisy),
        "compiled": tf.function(step, jit_compile=True),
    }.items():
        with gradflow.watch() as watched:
            function(tf.constant(DATA))
        told[name] = "random numbers drawn anew" in str(watched.report.models[0].entry)
    assert told == {"alike": False, "drawn": True, "compiled": True}


def test_a_step_with_two_tapes_is_told_and_drawn_as_a_whole() -> None:
    generator, critic = dense(3, "generator"), dense(1, "critic")
    optimizers = sgd(), sgd()

    def step(batch: Any) -> None:
        with tf.GradientTape() as first, tf.GradientTape() as second:
            judged = critic(tf.round(generator(batch)))
            losses = square(judged - 1.0), square(critic(batch)) + square(judged)
        for tape, layer, loss, optimizer in zip(
            (first, second), (generator, critic), losses, optimizers, strict=True
        ):
            gradients = tape.gradient(loss, layer.weights)
            pairs = zip(gradients, layer.weights, strict=True)
            optimizer.apply([tf.zeros_like(w) if g is None else g for g, w in pairs], layer.weights)

    for wrap in (lambda function: function, tf.function):
        with gradflow.watch(map=True) as watched:
            wrap(step)(tf.constant(DATA))
        [model] = watched.report.models
        [finding] = [item for item in model.findings if item.code == "GF202"]
        assert finding.reach is not None and model.map is not None
        assert (finding.reach.layers, finding.reach.all_layers) == (1, 2)
        assert (finding.reach.parameters, finding.reach.all_parameters) == (12, 16)
        nodes = {node.name: node for node in model.map.nodes if node.weights}
        assert {name: node.state for name, node in nodes.items()} == {
            "generator": NodeState.NONE,
            "critic": NodeState.FLOWS,
        }
        [cut] = [edge for edge in model.map.edges if edge.cuts]
        assert cut.source == nodes["generator"].id


@pytest.mark.parametrize("way", ["numpy", "float", "numpy_function"])
def test_where_values_leave_tensorflow_is_told(way: str) -> None:
    encoder, head, optimizer = dense(3, "encoder"), dense(1, "head"), sgd()
    ways_out = {
        "numpy": lambda code: np.tanh(code.numpy()),
        "float": lambda code: tf.fill([6, 3], float(tf.reduce_sum(code))),
        "numpy_function": lambda code: tf.ensure_shape(
            tf.numpy_function(np.tanh, [code], tf.float32), [6, 3]
        ),
    }

    def step(batch: Any) -> None:
        with tf.GradientTape() as tape:
            loss = square(head(tf.constant(ways_out[way](encoder(batch)))) - 1.0)
        optimizer.apply(tape.gradient(loss, head.weights), head.weights)

    with gradflow.watch() as watched:
        step(tf.constant(DATA))
    [model] = watched.report.models
    causes = {
        variable.name: [(cause.code, cause.op_type) for cause in variable.causes]
        for variable in model.variables
    }
    assert causes["head/kernel"] == []
    code, op_type = causes["encoder/kernel"][-1]
    assert code == "GF208"  # Dense adds its bias by BiasAdd, that of Keras 3.3 by AddV2
    assert op_type in ({"Sum"} if way == "float" else {"BiasAdd", "AddV2"})


def test_a_generator_is_read_once_and_its_batch_used_for_both() -> None:
    layer, optimizer = dense(1, "layer"), sgd()

    @tf.function
    def step(batches: Any) -> None:
        with tf.GradientTape() as tape:
            loss = square(layer(next(batches)) - 1.0)
        optimizer.apply(tape.gradient(loss, layer.weights), layer.weights)

    batches = (tf.constant(DATA) * scale for scale in (1.0, 2.0))
    with gradflow.watch() as watched:
        step(batches)
    [model] = watched.report.models
    assert {item.verdict for item in model.variables} == {Verdict.FLOWS}
    np.testing.assert_array_equal(next(batches), 2 * DATA)
