"""Custom gradients in Keras models, and in files that were saved without them; the cases themselves
are in the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gradflow
from tests.cli.command import apart
from tests.models.functions import Module

pytestmark = pytest.mark.tensorflow


def test_saved_without_them_the_tape_and_the_static_reading_say_so(tmp_path: Path) -> None:
    for name in ("each_kind", "variables_with_and_without_a_gradient"):
        folder = tmp_path / name
        Module(name).save(str(folder), custom_gradients=False)
        static = gradflow.inspect(folder, static=True).models[0]
        measured = gradflow.inspect(folder).models[0]
        for report in (static, measured):
            assert {variable.verdict.value for variable in report.variables} == {"none"}
            assert {cause.code for variable in report.variables for cause in variable.causes} == {
                "GF210"
            }


def test_a_keras_model_in_memory_knows_them_too() -> None:
    import keras
    import tensorflow as tf

    from tests.models.functions.composed_gradients import blocked, straight

    class Blocked(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return blocked(x)

    class Straight(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.nn.silu(straight(x))

    x = keras.Input((4,), name="x")
    alive = Straight()(keras.layers.Dense(4, name="alive")(x))
    dead = Blocked(name="blocked")(keras.layers.Dense(4, name="dead")(x))
    report = gradflow.inspect(keras.Model(x, alive + dead)).models[0]
    found = {variable.name: variable for variable in report.variables}
    assert {variable.verdict.value for name, variable in found.items() if "alive" in name} == {
        "flows"
    }
    assert [(cause.code, cause.layer) for cause in found["dead/kernel"].causes] == [
        ("GF205", "blocked")
    ]
    assert found["dead/kernel"].cuts_to_restore == 1


def test_a_gradient_that_cannot_be_traced_is_taken_to_flow() -> None:
    import keras
    import tensorflow as tf

    @tf.custom_gradient
    def eager(y):
        def gradient(upstream):
            return tf.constant(upstream.numpy())  # traced, a tensor has no numpy()

        return 2.0 * y, gradient

    class Eager(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return eager(x)

    x = keras.Input((4,), name="x")
    alive = Eager()(keras.layers.Dense(4, name="alive")(x))
    dead = keras.ops.stop_gradient(keras.layers.Dense(4, name="dead")(x))
    report = gradflow.inspect(keras.Model(x, alive + dead)).models[0]
    assert report.error is None
    assert {finding.code for finding in report.findings} == {"GF201"}


_IN_KERAS = """
import json, sys
import keras
import gradflow

found = {}
for folder in sys.argv[1:]:
    x = keras.Input((3,), name="x")
    layer = keras.layers.TFSMLayer(folder, call_endpoint="serving_default", name="loaded")
    model = keras.Model(x, layer(keras.layers.Dense(3, name="before")(x))["output_0"])
    report = gradflow.inspect(model).models[0]
    assert report.error is None, report.error
    found[folder] = {
        variable.name: [
            variable.verdict.value,
            sorted({(cause.code, cause.layer) for cause in variable.causes}),
        ]
        for variable in report.variables
    }
json.dump(found, sys.stdout)
"""


def test_a_keras_model_around_a_loaded_one_knows_which_were_saved(tmp_path: Path) -> None:
    saved, lost = str(tmp_path / "saved"), str(tmp_path / "lost")
    Module("each_kind").save(saved)
    Module("each_kind").save(lost, custom_gradients=False)
    # In a process of its own: here TensorFlow still knows the gradient functions by their names.
    done = apart(saved, lost, code=_IN_KERAS)
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found[saved]["before/kernel"] == ["flows", []]
    assert found[saved]["c:0"] == ["none", [["GF205", "loaded"]]]
    assert found[lost]["before/kernel"] == ["none", [["GF210", "loaded"]]]
    assert found[lost]["a:0"] == ["none", [["GF210", "loaded"]]]
