"""What a finding advises about the op that cuts, in tiny models of one op each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gradflow
from gradflow.catalogue.op_fixes import fix_of
from gradflow.findings import Finding

pytestmark = pytest.mark.tensorflow


def finding_behind(function: Callable[[Any], Any]) -> Finding:
    """Return the finding about the Dense layer whose values go into ``function`` and nowhere
    else."""
    import keras

    inputs = keras.Input([4])
    hidden = keras.layers.Dense(3, name="encoder")(inputs)
    chosen = keras.layers.Lambda(function)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(chosen))

    (report,) = gradflow.inspect(model).models

    (finding,) = [each for each in report.findings if "encoder/kernel" in each.variables]
    return finding


def one_op(name: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    functions: dict[str, Callable[[Any], Any]] = {
        "Less": lambda x: tf.cast(x < 0.5, tf.float32),
        "Round": tf.round,
        "Floor": tf.floor,
        "ArgMax": lambda x: tf.one_hot(tf.argmax(x, -1), 3),
        "Multinomial": lambda x: tf.one_hot(tf.random.categorical(x, 1)[:, 0], 3),
        "UpperBound": lambda x: tf.cast(
            tf.searchsorted([0.0, 1.0], tf.reshape(x, [-1]), side="right"), tf.float32
        )[:, None],
        "StatelessRandomPoisson": lambda x: tf.random.stateless_poisson(
            tf.shape(x), [1, 2], tf.nn.softplus(x)
        ),
    }
    return functions[name]


@pytest.mark.parametrize(
    "op_type",
    ["Less", "Round", "Floor", "ArgMax", "Multinomial", "UpperBound", "StatelessRandomPoisson"],
)
def test_each_op_has_a_fix_of_its_own(op_type: str) -> None:
    finding = finding_behind(one_op(op_type))

    assert finding.cause is not None
    of_op = fix_of(finding.cause.code, op_type)
    assert of_op is not None
    assert (finding.cause.op_type, finding.hint) == (op_type, of_op.fix)


def test_a_custom_gradient_of_zeros_is_said_to_be_one() -> None:
    import tensorflow as tf

    @tf.custom_gradient
    def silent(x: Any) -> Any:
        return tf.round(x), lambda upstream: tf.zeros_like(upstream)

    finding = finding_behind(silent)

    assert finding.code == "GF303"
    assert finding.message.startswith("the gradient of your custom_gradient is zero (IdentityN ")
    assert "straight-through" in finding.hint


def test_zeros_of_another_op_are_not_blamed_on_a_custom_gradient() -> None:
    import tensorflow as tf

    @tf.custom_gradient
    def twice(x: Any) -> Any:
        return 2.0 * x, lambda upstream: 2.0 * upstream

    finding = finding_behind(lambda x: twice(tf.nn.relu(x - 100.0)))

    assert "custom_gradient" not in finding.message
    assert finding.cause is not None
    assert finding.cause.op_type == "Relu"
