"""A weight that holds NaN itself is named, however the graph reads it."""

from __future__ import annotations

from typing import Any

import pytest

import gradflow

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("read", ["whole", "gather", "gather_nd"])
def test_a_weight_that_holds_nan_is_the_cause(read: str) -> None:
    import tensorflow as tf

    reads: dict[str, Any] = {
        "whole": lambda weight: weight * 1.0,
        "gather": lambda weight: tf.gather(weight, [0, 1, 2]),
        "gather_nd": lambda weight: tf.gather_nd(weight, [[0], [1], [2]]),
    }

    class Squared(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable([float("nan"), 1.0, 2.0], name="weight")

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            return x + tf.square(reads[read](self.weight))

    report = gradflow.inspect(Squared())

    messages = [finding.message for finding in report.models[0].findings]
    assert messages == ["the weight 'weight' itself holds NaN or Inf"]
