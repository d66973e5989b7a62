"""A watched step names the ops at which gradients become zero, as ``inspect`` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import gradflow
from gradflow.findings import ModelReport
from gradflow.options import Options
from tests.models.functions import CASES, Case, Module
from tests.models.functions import zeros as topic
from tests.training.mistakes import DATA, dense, sgd, square

pytestmark = pytest.mark.tensorflow

_VALUED = [
    pytest.param(
        case,
        id=name,
        # What is zero in a branch or a loop is looked at by the replay that inspect has, too.
        marks=[] if case.function.__module__ == topic.__name__ and number % 2 else pytest.mark.slow,
    )
    for number, (name, case) in enumerate(CASES.items())
    if any(truth.verdict in ("zero", "nonfinite") for truth in case.truths.values())
    and not name.endswith(("without_a_gradient_in_a_loop", "disabled_in_a_loop"))  # they raise
]


def _told(model: ModelReport) -> dict[str, Any]:
    """Return what a report says of the weights whose gradient is zero or not finite."""
    causes = {
        variable.name: sorted((cause.code, str(cause.op_type)) for cause in variable.causes)
        for variable in model.variables
        if variable.verdict in ("zero", "nonfinite")
    }
    findings = {
        (finding.code, finding.severity, finding.message, finding.variables)
        for finding in model.findings
        if finding.code in ("GF303", "GF304")
    }
    return {"causes": causes, "findings": findings}


@pytest.mark.parametrize("case", _VALUED)
def test_the_causes_are_those_of_inspect(case: Case) -> None:
    from gradflow.tape.load.tf_module import ModuleMethod
    from gradflow.tape.objective import project
    from gradflow.tape.step import step

    module = Module(case.name)
    inspected = gradflow.inspect(module, entry="serve").models[0]
    batch = step(ModuleMethod(module, "serve"), Options()).batch.tensors
    given = {**module.weights, **module.state}
    if case.table:
        given["table"] = module.table

    @tf.function
    def train(x: Any) -> None:
        with tf.GradientTape() as tape:
            for weight in module.weights.values():
                tape.watch(weight)  # as inspect does: TensorFlow itself sees no variable in a loop
            outputs = case.function(x, given)
            named = outputs if isinstance(outputs, dict) else {"output_0": outputs}
            flat = [
                (name if part is value else f"{name}/{number}", part)
                for name, value in named.items()
                for number, part in enumerate(tf.nest.flatten(value, expand_composites=True))
            ]
            loss = project(flat, 0)
        tape.gradient(loss, list(module.weights.values()))

    before = [variable.numpy().tobytes() for variable in module.variables]
    with gradflow.watch(module) as watched:
        train(*batch)
    assert _told(watched.report.models[0]) == _told(inspected)
    assert before == [variable.numpy().tobytes() for variable in module.variables]


def _dead(name: str) -> Any:
    return dense(3, name, activation="relu", bias_initializer=keras.initializers.Constant(-99.0))


class Own(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dead, self.drop, self.head = _dead("dead"), keras.layers.Dropout(0.5), dense(1, "head")

    def call(self, batch: Any, training: bool = False) -> Any:
        return self.head(self.drop(self.dead(self.drop(batch, training=True)), training=training))

    def train_step(self, data: Any) -> dict[str, Any]:
        batch, target = data
        with tf.GradientTape() as tape:
            loss = square(self(batch, training=True) - target)
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def _fitted(*, eager: bool, own: bool) -> ModelReport:
    if own:
        model: Any = Own()
    else:
        layers = [_dead("dead"), keras.layers.Dropout(0.5), dense(1, "head")]
        model = keras.Sequential([keras.Input([3]), keras.layers.Dropout(0.5), *layers])
    model.compile(sgd(), "mse", run_eagerly=eager)
    with gradflow.watch() as watched:
        model.fit(DATA, np.ones((6, 1), "float32"), verbose=0)
    return watched.report.models[0]


def _looped(wrap: Callable[[Any], Any]) -> ModelReport:
    """A loop over batches, in which the second tape is asked once the first loss has updated."""
    dead, head, optimizer = _dead("dead"), dense(1, "head"), sgd(0.3)
    data = tf.constant(DATA)
    head(dead(data))
    optimizer.build(dead.weights + head.weights)

    @wrap
    def epoch() -> None:
        for _ in tf.range(3):
            with tf.GradientTape() as tape:
                loss = square(head(dead(data)) - 1.0)
            optimizer.apply(tape.gradient(loss, head.weights), head.weights)
            with tf.GradientTape() as tape:
                loss = square(head(dead(data)) + tf.random.normal([6, 1]))
            optimizer.apply(tape.gradient(loss, dead.weights), dead.weights)

    with gradflow.watch() as watched:
        epoch()
    return watched.report.models[0]


@pytest.mark.parametrize(
    "trained",
    [
        lambda: _fitted(eager=False, own=False),
        lambda: _fitted(eager=True, own=False),
        lambda: _fitted(eager=False, own=True),
        lambda: _looped(tf.function),
        lambda: _looped(lambda step: step),
    ],
    ids=["fit", "eager-fit", "train_step", "tf.function", "eager-loop"],
)
def test_every_way_to_train_names_the_dead_unit(trained: Callable[[], ModelReport]) -> None:
    model = trained()
    findings = [item for item in model.findings if item.code == "GF303"]
    lost = [name.rpartition("/")[0] for finding in findings for name in finding.variables]
    assert sorted(name.rpartition("/")[2] for name in lost) == ["dead", "dead", "head"]
    for finding in findings:
        cause = finding.cause
        assert cause is not None
        assert (cause.op_type, str(cause.layer).rpartition("/")[2]) == ("Relu", "dead")
        assert "which passes 0 of 18 elements" in finding.message
    assert "not looked into" not in str(model.entry)


def _twice_asked() -> Callable[[], None]:
    """A tape that is asked again, for what another loss got before."""
    dead, head, data = _dead("dead"), dense(1, "head"), tf.constant(DATA)
    head(dead(data))

    def step() -> None:
        with tf.GradientTape(persistent=True) as tape:
            code = dead(data)
            loss = square(head(code) - 1.0)
        tape.gradient(loss, head.weights)
        tape.gradient(code, dead.weights)

    return step


def _own_gradient() -> Callable[[], None]:
    layer, data = dense(3, "layer", bias_initializer=keras.initializers.Constant(-500.0)), DATA
    layer(data)

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(tf.nn.silu(layer(tf.constant(data))) + 1.0)  # silu has one of its own
        tape.gradient(loss, layer.weights)

    return step


def _too_small() -> Callable[[], None]:
    weight = tf.Variable(tf.ones([3], tf.float16), name="weight")

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = 1e-9 * tf.reduce_sum(tf.cast(weight * weight, tf.float32))
        tape.gradient(loss, [weight])

    return step


def _in_a_function() -> Callable[[], None]:
    dead, table = _dead("dead"), tf.Variable(tf.ones([9, 3]), name="table")
    dead(DATA)

    @tf.function
    def inner(rows: Any) -> Any:
        return dead(tf.gather(table, rows))

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(inner(tf.constant([1, 4, 4])) - 1.0)
        tape.gradient(loss, [table, *dead.weights])

    return step


def _not_a_number() -> Callable[[], None]:
    weight = tf.Variable([0.0, 1.0], name="weight")

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sqrt(weight))
        tape.gradient(loss, [weight])

    return step


@pytest.mark.parametrize("wrap", [tf.function, lambda step: step], ids=["graph", "eager"])
@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (_twice_asked, {("GF303", "Relu")}),
        (_own_gradient, {("GF303", "Sigmoid")}),
        (_too_small, {("GF303", "Cast")}),
        (_in_a_function, {("GF303", "Relu")}),
        (_not_a_number, {("GF304", "Sqrt")}),
    ],
)
def test_what_is_known_of_a_step_alone(
    build: Callable[[], Callable[[], None]],
    expected: set[tuple[str, str]],
    wrap: Callable[[Any], Any],
) -> None:
    step = build()
    with gradflow.watch() as watched:
        wrap(step)()
    [model] = watched.report.models
    causes = {
        (cause.code, cause.op_type)
        for variable in model.variables
        if variable.verdict in ("zero", "nonfinite")
        for cause in variable.causes
    }
    assert causes == expected
    assert "not looked into" not in str(model.entry)


def _drawn(*, is_watched: bool, seeds: Sequence[int | None]) -> list[bytes]:
    """Train with a unit that is dead behind numbers that eager ops draw from a state of their
    own."""
    keras.utils.set_random_seed(5)
    dead, head, optimizer = _dead("dead"), dense(1, "head"), sgd()
    results = []
    for number in range(4):

        def step() -> None:
            with tf.GradientTape() as tape:
                noisy = [tf.random.uniform([6, 3], seed=seed) for seed in seeds]
                loss = square(head(dead(tf.add_n([tf.constant(DATA), *noisy]))) - 1.0)
            weights = dead.weights + head.weights
            optimizer.apply(tape.gradient(loss, weights), weights)

        if is_watched and number in (1, 2):
            with gradflow.watch() as watched:
                step()
            [finding] = [f for f in watched.report.models[0].findings if f.code == "GF303"]
            assert finding.cause is not None and finding.cause.op_type == "Relu"
        else:
            step()
        results += [weight.numpy().tobytes() for weight in head.weights]
        results += [tf.random.uniform([3], seed=seed).numpy().tobytes() for seed in seeds]
    return results


def test_what_is_run_again_draws_nothing_of_the_users() -> None:
    """TensorFlow goes on from the state of an op that draws, wherever an equal one is run."""
    watched, unwatched = (_drawn(is_watched=is_watched, seeds=[1, None]) for is_watched in (1, 0))
    assert watched == unwatched


def test_a_second_function_starts_from_what_the_first_has_left() -> None:
    unit, head, optimizer = dense(3, "unit", activation="relu"), dense(1, "head"), sgd(1.0)

    @tf.function
    def spoil() -> None:
        with tf.GradientTape() as tape:
            loss = 99.0 * tf.reduce_sum(unit.bias)
        optimizer.apply(tape.gradient(loss, [unit.bias]), [unit.bias])

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(head(unit(DATA)) - 1.0)
        tape.gradient(loss, [unit.kernel])

    with gradflow.watch() as watched:
        spoil()
        step()
    [model] = watched.report.models
    [kernel] = [item for item in model.variables if item.name == "unit/kernel"]
    assert [(cause.code, cause.op_type) for cause in kernel.causes] == [("GF303", "Relu")]


def test_a_report_within_another_leaves_both_what_they_need() -> None:
    step = tf.function(_twice_asked())
    for _ in range(2):  # the second time the trace for the report is known
        with gradflow.watch() as outer, gradflow.watch() as inner:
            step()
        told = [_told(watched.report.models[0])["causes"] for watched in (outer, inner)]
        assert told[0] == told[1]
        assert {cause for causes in told[0].values() for cause in causes} == {("GF303", "Relu")}


def test_a_step_that_cannot_be_run_again_names_no_op_and_says_so() -> None:
    dead, head = _dead("dead"), dense(1, "head")

    @tf.function
    def noise() -> Any:
        return tf.random.normal([6, 3])

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = square(head(dead(DATA + noise())) - 1.0)
        tape.gradient(loss, dead.weights)

    with gradflow.watch() as watched:
        step()
    [model] = watched.report.models
    [finding] = [item for item in model.findings if item.code == "GF303"]
    assert finding.cause is not None and finding.cause.op is None
    assert "gradflow inspect" in str(finding.hint)
    assert "RandomStandardNormal 'random_normal/RandomStandardNormal' cannot be run" in str(
        model.entry
    )
