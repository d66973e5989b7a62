"""Weights that only a loss inside the model moves: no cut that is to be taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.findings import ModelReport

pytestmark = pytest.mark.tensorflow


def quantized(faulty: bool = False) -> Any:
    """A VQ-VAE: its codebook gets gradient from what the layer adds; the faulty one gets none."""
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable("own_losses")
    class Quantize(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.codebook = self.add_weight(name="codebook", shape=(8, shape[-1]))

        def call(self, x: Any) -> Any:
            distance = ops.sum((x[:, None] - self.codebook[None]) ** 2, -1)
            code = ops.matmul(ops.one_hot(ops.argmin(distance, -1), 8), self.codebook)
            straight = x + ops.stop_gradient(code - x)
            pulled = straight if faulty else code
            self.add_loss(ops.mean((pulled - ops.stop_gradient(x)) ** 2))
            return straight

    inputs = keras.Input([6])
    code = Quantize(name="quantize")(keras.layers.Dense(3, name="encoder")(inputs))
    return keras.Model(inputs, keras.layers.Dense(6, name="decoder")(code))


def severities(report: ModelReport) -> dict[str, list[tuple[str, str]]]:
    said: dict[str, list[tuple[str, str]]] = {}
    for finding in report.findings:
        for name in finding.variables:
            said.setdefault(name, []).append((finding.code, finding.severity.value))
    return said


def test_a_sound_codebook_is_never_red() -> None:
    report = gradflow.inspect(quantized()).models[0]
    assert severities(report) == {"quantize/codebook": [("GF201", "note")]}
    assert "add_loss" in report.findings[0].message
    model = quantized()
    model.compile("sgd", "mse")
    assert severities(gradflow.inspect(model).models[0]) == {}


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_codebook_that_nothing_trains_is_red(is_compiled: bool) -> None:
    model = quantized(faulty=True)
    if is_compiled:
        model.compile("sgd", "mse")
    said = severities(gradflow.inspect(model).models[0])["quantize/codebook"]
    assert set(said) == {("GF201", "error")}


def test_an_export_holds_no_loss_that_trains_the_codebook(tmp_path: Path) -> None:
    """So that nobody can tell from it whether the codebook is trained."""
    folder = str(tmp_path / "exported")
    quantized().export(folder, verbose=False)
    for is_static in (False, True):
        report = gradflow.inspect(folder, static=is_static).models[0]
        (finding,) = report.findings
        assert (finding.code, finding.severity.value) == ("GF201", "warning")
        assert "straight-through" in finding.message
        assert "codebook loss" in finding.hint
        assert "remove the stop_gradient" not in finding.hint


def test_a_difference_that_is_not_added_again_is_no_straight_through(tmp_path: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.a, module.b = tf.Variable([1.0, 2.0], name="a"), tf.Variable([0.5, 3.0], name="b")

    @tf.function(input_signature=[tf.TensorSpec([2])])
    def call(x: Any) -> Any:
        return x * module.b + tf.stop_gradient(module.a - x)

    module.call = call
    tf.saved_model.save(module, str(tmp_path), signatures=call)
    (finding,) = gradflow.inspect(tmp_path, static=True).models[0].findings
    assert (finding.code, finding.severity.value) == ("GF201", "error")


def test_a_regularizer_alone_teaches_nothing() -> None:
    import keras

    inputs = keras.Input([6])
    stopped = keras.layers.Dense(3, name="stopped", kernel_regularizer="l2")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.ops.stop_gradient(stopped)))
    for objective in ("outputs", "compiled"):
        model.compile("sgd", "mse")
        report = gradflow.inspect(model, objective=objective).models[0]
        assert severities(report) == {
            "stopped/kernel": [("GF201", "warning")],
            "stopped/bias": [("GF201", "error")],
        }


def test_a_head_that_only_an_added_loss_reads() -> None:
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable("own_losses")
    class Divergence(keras.layers.Layer):
        def call(self, heads: Any) -> Any:
            mean, spread = heads
            self.add_loss(ops.mean(mean**2 + ops.exp(spread) - spread))
            return mean

    inputs = keras.Input([6])
    heads = [keras.layers.Dense(3, name=name)(inputs) for name in ("mean", "spread")]
    model = keras.Model(inputs, keras.layers.Dense(6)(Divergence()(heads)))
    assert severities(gradflow.inspect(model).models[0]) == {
        "spread/kernel": [("GF206", "note")],
        "spread/bias": [("GF206", "note")],
    }
