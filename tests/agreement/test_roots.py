"""Of a unit that is off, what makes it so is named: once that is mended, the gradient arrives."""

from __future__ import annotations

from typing import Any

import pytest

import gradflow
from gradflow.findings import ModelReport, Verdict

pytestmark = pytest.mark.tensorflow

OVER_ONE = "ends a normalization over an axis of size 1"
ROOTS = {
    "kernel_of_zeros": "the weight 'first/kernel' is all zeros",
    "two_kernels_of_zeros": "'second/kernel' is all zeros, and the weight 'first/kernel' is all",
    "scale_of_zeros": "the weight 'norm/gamma' is all zeros",
    "normalization_over_one_value": OVER_ONE,
    "normalization_of_one_feature": OVER_ONE,
    "constant_of_zeros": "is a constant 0",
}
"""By model, what its only finding says."""


def report_on(name: str, *, mended: bool) -> ModelReport:
    import keras

    from tests.models import roots

    keras.utils.set_random_seed(0)
    model: Any = getattr(roots, name)(mended=mended)
    return gradflow.inspect(model).models[0]


@pytest.mark.parametrize("name", ROOTS)
def test_one_root_explains_all_that_is_zero(name: str) -> None:
    report = report_on(name, mended=False)
    (finding,) = report.findings
    assert ROOTS[name] in finding.message
    assert "leaky" not in finding.hint
    zeros = {item.name for item in report.variables if item.verdict is Verdict.ZERO}
    assert set(finding.variables) == zeros


@pytest.mark.parametrize("name", [*ROOTS, "unit_off_behind_a_normalization_over_one_value"])
def test_once_it_is_mended_the_gradient_arrives(name: str) -> None:
    assert report_on(name, mended=True).summary.zero == 0


def test_what_lies_behind_a_unit_that_is_off_is_named_beside_it() -> None:
    """With a leaky unit alone, the layer before the normalization would stay as it is."""
    report = report_on("unit_off_behind_a_normalization_over_one_value", mended=False)
    unit, normalization = report.findings
    assert "passes 0 of" in unit.message
    assert {"first/kernel", "norm/beta"} < set(unit.variables)
    assert OVER_ONE in normalization.message
    assert set(normalization.variables) == {"first/kernel", "first/bias", "norm/gamma"}


def test_a_slope_of_a_side_that_nothing_is_on_is_not_called_dead_for_want_of_a_leak() -> None:
    from tests.models.roots import slope_of_a_side_that_nothing_is_on

    (finding,) = gradflow.inspect(slope_of_a_side_that_nothing_is_on()).models[0].findings
    assert finding.variables == ("slope/alpha",)
    assert "on the other side of the unit" in finding.hint
    assert "leaky" not in finding.hint


def test_a_normalization_that_is_written_out_is_one_finding_a_weight() -> None:
    """Both its subtraction and its division are seen to hand nothing on."""
    import keras
    from keras import ops

    class Norm(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=[shape[-1]], name="scale", initializer="ones")
            self.shift = self.add_weight(shape=[shape[-1]], name="shift")

        def call(self, x: Any) -> Any:
            mean = ops.mean(x, -1, keepdims=True)
            spread = ops.sqrt(ops.mean((x - mean) ** 2, -1, keepdims=True) + 1e-3)
            return (x - mean) / spread * self.scale + self.shift

    inputs = keras.Input([4])
    normed = Norm(name="norm")(keras.layers.Dense(1, name="before")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, name="after")(normed))
    findings = gradflow.inspect(model).models[0].findings
    told = [name for finding in findings for name in finding.variables]
    assert sorted(told) == sorted({*told})
    (warning,) = [finding for finding in findings if finding.severity.value == "warning"]
    assert OVER_ONE in warning.message
    assert set(warning.variables) == {"before/kernel", "before/bias", "norm/scale"}


@pytest.mark.parametrize("kind", ["along_two_axes", "rows_of_a_list"])
def test_entries_that_are_left_out_are_told_at_the_join(kind: str) -> None:
    """Where a run alone tells which they are; a constant index is read in the graph."""
    import tensorflow as tf

    def call(module: Any, x: Any) -> Any:
        first, second = x * module.first, x * module.second
        if kind == "along_two_axes":
            joined = tf.concat([tf.concat([first, second], 0), tf.ones([4, 3])], 1)
            return joined[tf.shape(x)[0] :, :3]
        rows = tf.TensorArray(tf.float32, 2, element_shape=[2, 3])
        return rows.write(0, first).write(1, second).stack()[tf.shape(x)[0] - 1]

    module = tf.Module()
    module.first, module.second = tf.Variable([1.0, 2.0, 3.0]), tf.Variable([0.5, 1.5, 0.5])
    module.call = tf.function(lambda x: call(module, x))
    report = gradflow.inspect(module, entry="call", inputs={"x": "float32[2,3]"}).models[0]
    assert [item.verdict for item in report.variables] == [Verdict.ZERO, Verdict.FLOWS]
    (finding,) = report.findings
    assert "for the entries that come from there" in finding.message
    assert "a slice" in finding.hint
    assert "cancel" not in finding.message


def test_a_row_that_a_loop_stops_is_told_at_the_stop() -> None:
    import tensorflow as tf

    def call(module: Any, x: Any) -> Any:
        stack = tf.stack([x * module.first, x, x])
        return tf.foldl(lambda sum_, row: tf.stop_gradient(sum_) * module.second + row, stack)

    module = tf.Module()
    module.first, module.second = tf.Variable([1.0, 2.0, 3.0]), tf.Variable([0.5, 1.5, 0.5])
    module.call = tf.function(lambda x: call(module, x))
    report = gradflow.inspect(module, entry="call", inputs={"x": "float32[2,3]"}).models[0]
    first, second = report.variables
    assert (first.verdict, first.cuts_to_restore) == (Verdict.ZERO, 1)
    assert [cause.op_type for cause in first.causes] == ["StopGradient"]
    assert second.verdict is Verdict.FLOWS


def test_a_constant_condition_is_no_unit_that_wants_a_leak() -> None:
    import tensorflow as tf

    module = tf.Module()
    module.first, module.second = tf.Variable([1.0, 2.0, 3.0]), tf.Variable([0.5, 1.5, 0.5])
    module.call = lambda x: tf.where([True] * 3, x * module.second, x * module.first)
    report = gradflow.inspect(module, entry="call", inputs={"x": "float32[2,3]"}).models[0]
    (finding,) = report.findings
    assert "condition is a constant" in finding.hint
    assert "leaky" not in finding.hint
