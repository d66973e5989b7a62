"""Units that are dropped at random are not dead: they are drawn until chance explains no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gradflow
from gradflow.findings import ModelReport, Severity

pytestmark = pytest.mark.tensorflow


def report_on(function: Callable[..., Any], **options: Any) -> ModelReport:
    """Analyse a function of ``x`` and the weights ``a`` and ``b``."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)

    class Dropped(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = tf.Variable([1.0, -2.0, 0.5], name="a")
            self.b = tf.Variable([0.5, 1.5, -1.0], name="b")
            signature = [tf.TensorSpec([None, 3], tf.float32, name="x")]
            self.serve = tf.function(
                lambda x: x * self.a + function(tf, x, self.b), input_signature=signature
            )

    return gradflow.inspect(Dropped(), entry="serve", **options).models[0]


def stochastic_depth(rate: float) -> Callable[..., Any]:
    """A way that is dropped as a whole, by a mask that is multiplied with it."""
    return lambda tf, x, b: x * b * tf.cast(tf.random.uniform([]) >= rate, tf.float32)


def whole_dropout(rate: float) -> Callable[..., Any]:
    """The same by ``tf.nn.dropout``, and the weight behind it."""
    return lambda tf, x, b: tf.nn.dropout(x, rate, noise_shape=[1, 1]) * b


def branch_by_chance(rate: float) -> Callable[..., Any]:
    """The same by a branch that a random number decides over."""
    return lambda tf, x, b: tf.cond(tf.random.uniform([]) >= rate, lambda: x * b, lambda: x)


WAYS = [stochastic_depth, whole_dropout, branch_by_chance]


def verdict_of_b(report: ModelReport) -> str:
    return next(item.verdict.value for item in report.variables if item.name == "b")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_dropped_half_of_the_time_flows_with_every_seed(way: Any) -> None:
    for seed in range(4):
        report = report_on(way(0.5), seed=seed)
        assert (verdict_of_b(report), report.findings) == ("flows", ()), seed


@pytest.mark.parametrize("way", WAYS)
def test_what_is_dropped_in_every_draw_is_a_note_that_says_so(way: Any) -> None:
    report = report_on(way(0.98), probes=3)
    assert verdict_of_b(report) == "zero"
    (finding,) = report.findings
    assert finding.code == ("GF302" if way is branch_by_chance else "GF303")
    assert finding.severity is Severity.NOTE
    assert "dropped in every draw (3)" in finding.message
    assert finding.hint.endswith("probes=100")


def test_what_is_dead_behind_a_drop_is_dead() -> None:
    report = report_on(
        lambda tf, x, b: stochastic_depth(0.5)(tf, tf.nn.relu(x * b - 1e3), tf.ones([3]))
    )
    assert verdict_of_b(report) == "zero"
    (finding,) = report.findings
    assert finding.severity is Severity.WARNING
    assert "passes 0 of" in finding.message


def test_a_mask_that_no_draw_opens_is_no_chance() -> None:
    (finding,) = report_on(stochastic_depth(1.5)).findings
    assert finding.severity is Severity.WARNING


def test_a_branch_that_chance_decides_over_and_that_keras_runs_eagerly() -> None:
    """Where it is not taken, the tape gives None and not zeros."""
    import keras
    import tensorflow as tf

    class Chance(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1],), name="kernel")

        def call(self, x: Any) -> Any:
            return tf.cond(tf.random.uniform(()) < 0.5, lambda: x, lambda: x * self.kernel)

    keras.utils.set_random_seed(0)
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dense(2)(Chance()(x)))
    for seed in range(4):
        report = gradflow.inspect(model, seed=seed).models[0]
        assert (report.summary.flows, report.findings) == (3, ()), seed
