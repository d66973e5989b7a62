"""``gradflow.assert_trains`` fails where a step leaves a weight as it was."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

import gradflow
from tests.training.mistakes import DATA, dense, sgd, square

pytestmark = pytest.mark.tensorflow


def _step(stop: Any = tf.identity, **options: Any) -> Any:
    encoder, head, optimizer = dense(3, "encoder", **options), dense(1, "head"), sgd()

    def step(batch: Any) -> None:
        with tf.GradientTape() as tape:
            loss = square(head(stop(encoder(batch))) - 1.0)
        weights = encoder.trainable_weights + head.trainable_weights
        optimizer.apply(tape.gradient(loss, weights), weights)

    return step


def test_a_step_that_trains_all_weights_passes() -> None:
    report = gradflow.assert_trains(_step(), tf.constant(DATA))
    assert report.ok
    assert report.models[0].summary.flows == 4


def test_each_weight_that_does_not_change_is_explained() -> None:
    with pytest.raises(AssertionError) as raised:
        gradflow.assert_trains(_step(tf.stop_gradient), tf.constant(DATA))
    lines = str(raised.value).splitlines()
    assert lines[0] == "step: the step does not train as it should"
    assert [line.partition(": it did not change: GF201")[0] for line in lines[1:]] == [
        "  encoder/kernel",
        "  encoder/bias",
    ]
    assert "gradient is stopped by StopGradient" in lines[1]


def test_what_is_frozen_has_to_stay() -> None:
    data = tf.constant(DATA)
    gradflow.assert_trains(_step(trainable=False), data, frozen=["encoder/**"])
    with pytest.raises(AssertionError, match="encoder/kernel: it changed, and frozen names it"):
        gradflow.assert_trains(_step(), data, frozen=["encoder/**"])
    with pytest.raises(AssertionError, match="encoder/bias: it did not change: GF101 frozen by"):
        gradflow.assert_trains(_step(trainable=False), data)
    with pytest.raises(AssertionError, match=r"frozen='enc/\*\*': it covers no weight"):
        gradflow.assert_trains(_step(), data, frozen=["enc/**"])


def test_a_step_without_weights_is_refused() -> None:
    with pytest.raises(gradflow.UsageError, match=r"the step has no weights; models=\[...\]"):
        gradflow.assert_trains(tf.constant, 1.0)
