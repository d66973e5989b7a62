"""What a call assigns to its variables: where gradient is cut, and what no optimizer keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.analysis.static import read
from gradflow.findings import ModelReport, Severity
from gradflow.options import Options
from tests.agreement.subject import analysed

pytestmark = pytest.mark.tensorflow

X = {"x": "float32[4,3]"}


def before(module: Any, x: Any) -> Any:
    module.buf.assign(module.k * 2.0)
    return x * module.buf


def afterwards(module: Any, x: Any) -> Any:
    y = x * module.buf
    module.buf.assign(module.k * 2.0)
    return y


def increment(module: Any, x: Any) -> Any:
    module.buf.assign_add(module.k * 2.0)
    return x * module.buf


def scattered(module: Any, x: Any) -> Any:
    import tensorflow as tf

    module.buf.scatter_update(tf.IndexedSlices(module.k[:1] * 2.0, tf.constant([1])))
    return x * module.buf


def in_branch(module: Any, x: Any) -> Any:
    import tensorflow as tf

    tf.cond(
        tf.reduce_sum(x) > -1e9,
        lambda: module.buf.assign(module.k * 2.0).read_value(),
        lambda: module.buf.read_value(),
    )
    return x * module.buf


def in_loop(module: Any, x: Any) -> Any:
    import tensorflow as tf

    def body(trip: Any, total: Any) -> Any:
        module.buf.assign(module.k * 2.0 + total)
        return trip + 1, total + module.buf

    return x * tf.while_loop(lambda trip, _: trip < 2, body, (0, tf.zeros([3])))[1]


def by_function(module: Any, x: Any) -> Any:
    import tensorflow as tf

    tf.function(lambda: module.buf.assign(module.k * 2.0))()
    return x * module.buf


def moving(module: Any, x: Any) -> Any:
    module.buf.assign(0.9 * module.buf + 0.1 * module.k)
    return x * module.buf


CALLS = [before, afterwards, increment, scattered, in_branch, in_loop, by_function, moving]
LOSING = {before, afterwards, in_loop, by_function}


@pytest.mark.parametrize("is_function", [True, False])
@pytest.mark.parametrize("call", CALLS)
def test_what_flows_into_an_assignment_is_cut_there(
    call: Callable[..., Any], is_function: bool, tmp_path: Path
) -> None:
    module = assigning(call, is_function)
    reports = [gradflow.inspect(module, entry="serve", inputs=X).models[0]]
    if is_function:
        import tensorflow as tf

        tf.saved_model.save(module, str(tmp_path))
        reports += [analysed(tmp_path, Options()).report, read(tmp_path, Options()).report]
    for report in reports:
        verdicts = {variable.name: variable for variable in report.variables}
        assert verdicts["buf"].verdict.value == "flows"
        assert verdicts["k"].verdict.value in ("none", "zero")
        assert [cause.code for cause in verdicts["k"].causes] == ["GF211"]
        assert verdicts["k"].cuts_to_restore == (None if call is afterwards else 1)
        assert lost(report) == (["buf"] if call in LOSING else [])
        assert_an_optimizer_keeps_what_the_report_says(call, report)


def test_a_repair_through_a_variable_is_not_tried_and_that_is_said(tmp_path: Path) -> None:
    import tensorflow as tf

    tf.saved_model.save(assigning(before, is_function=True), str(tmp_path))
    route = analysed(tmp_path, Options(why="k")).route
    assert route is not None
    assert [change.cause.code for change in route.changes] == ["GF211"]
    assert route.proof is None
    assert route.unproven.startswith("what a call assigns to a variable")


def assert_an_optimizer_keeps_what_the_report_says(
    call: Callable[..., Any], report: ModelReport
) -> None:
    """Two values of the weight before a call, and what each leaves."""
    import numpy as np
    import tensorflow as tf

    left = []
    for value in (0.5, 7.0):
        module = assigning(call, is_function=True)
        module.buf.assign([value] * 3)
        module.serve(tf.ones([4, 3]))
        left.append(module.buf.numpy())
    if call is not in_branch:  # the branch that is run overwrites it, and nobody knows before
        assert bool(np.array_equal(*left)) is (lost(report) == ["buf"])


def assigning(call: Callable[..., Any], is_function: bool) -> Any:
    import tensorflow as tf

    module = tf.Module()
    module.k = tf.Variable([1.0, 2.0, 3.0], name="k")
    module.buf = tf.Variable([0.5, 0.5, 0.5], name="buf")

    def serve(x: Any) -> Any:
        return call(module, x)

    signature = [tf.TensorSpec([None, 3], tf.float32, name="x")]
    module.serve = tf.function(serve, input_signature=signature) if is_function else serve
    return module


def lost(report: ModelReport) -> list[str]:
    """The weights of which the report says that no optimizer keeps what it changes."""
    return [
        name
        for finding in report.findings
        if "each call overwrites it" in finding.message
        for name in finding.variables
        if finding.severity is Severity.ERROR
    ]


def test_moving_averages_are_no_finding() -> None:
    import keras

    normed = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    report = gradflow.inspect(keras.Sequential([keras.Input([4]), *normed])).models[0]
    assert report.summary.flows == 6
    assert "GF211" not in [finding.code for finding in report.findings]


def test_a_cell_that_assigns_in_a_loop() -> None:
    """https://github.com/tensorflow/probability/issues/927"""
    import keras
    import tensorflow as tf

    class Cell(keras.layers.Layer):
        state_size = output_size = 3

        def build(self, shape: Any) -> None:
            self.w = self.add_weight(name="w", shape=(shape[-1] + 3, 3))
            self.interim = self.add_weight(name="interim", shape=(2, 3))

        def call(self, inputs: Any, states: Any) -> Any:
            self.interim.assign(tf.matmul(tf.concat([inputs, states[0]], -1), self.w))
            return tf.tanh(self.interim), [tf.tanh(self.interim)]

    inputs = keras.Input(batch_shape=(2, 5, 4))
    outputs = keras.layers.RNN(Cell(name="cell"), name="rnn")(inputs)
    report = gradflow.inspect(keras.Model(inputs, outputs)).models[0]
    assert lost(report) == ["rnn/cell/interim"]
    causes = {variable.name: variable.causes for variable in report.variables}
    assert {cause.code for cause in causes["rnn/cell/w"]} == {"GF211"}


def test_a_value_that_build_computed_is_a_constant() -> None:
    import keras
    import tensorflow as tf

    class Doubled(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(name="kernel", shape=(shape[-1], 2))
            self.doubled = tf.constant(2.0 * self.kernel)

        def call(self, inputs: Any) -> Any:
            return tf.matmul(inputs, self.doubled)

    model = keras.Sequential([keras.Input([4]), Doubled(), keras.layers.Dense(1)])
    finding = gradflow.inspect(model).models[0].findings[0]
    assert (finding.code, finding.message) == (
        "GF206",
        "no path to any output: no op of the call reads it",
    )
    assert finding.hint is not None and "what __init__ or build computed" in finding.hint


def test_a_weight_that_gives_its_shape_alone_is_told_that_nothing_reads_it() -> None:
    import tensorflow as tf

    module = tf.Module()
    module.a, module.b = tf.Variable([1.0, 2.0], name="a"), tf.Variable([3.0, 4.0], name="b")
    spec = [tf.TensorSpec([3, 2], tf.float32, name="x")]
    module.call = tf.function(lambda x: tf.zeros(module.a.shape) + x * module.b, spec)
    report = gradflow.inspect(module, entry="call").models[0]
    (finding,) = report.findings
    assert (finding.code, finding.variables) == ("GF206", ("a",))
    assert finding.message == "no path to any output: no op of the call reads it"
    assert finding.hint is not None and "its shape can be used without reading it" in finding.hint


def by_data(v1: Any, x: Any, buf: Any, k: Any) -> Any:
    return x * v1.assign(buf, 2.0 * k)


def by_control(v1: Any, x: Any, buf: Any, k: Any) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([v1.assign(buf, 2.0 * k)]):
        return x * tf.identity(buf)


def by_group(v1: Any, x: Any, buf: Any, k: Any) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([tf.group(v1.assign(buf, 2.0 * k))]):
        return x * tf.identity(buf)


def added(v1: Any, x: Any, buf: Any, k: Any) -> Any:
    return x * v1.assign_add(buf, 2.0 * k)


def scattered_rows(v1: Any, x: Any, buf: Any, k: Any) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([v1.scatter_update(buf, [1], 2.0 * k[:1])]):
        return x * tf.identity(buf)


def in_old_branch(v1: Any, x: Any, buf: Any, k: Any) -> Any:
    import tensorflow as tf

    written = v1.cond(
        tf.reduce_sum(x) > -1e9, lambda: v1.assign(buf, 2.0 * k), lambda: tf.identity(buf)
    )
    with tf.control_dependencies([written]):
        return x * tf.identity(buf)


def never_run(v1: Any, x: Any, buf: Any, k: Any) -> Any:
    v1.assign(buf, 2.0 * k)
    return x * buf


OLD = [by_data, by_control, by_group, added, scattered_rows, in_old_branch, never_run]
OLD_LOSING = {by_data, by_control, by_group}


@pytest.mark.parametrize("is_resource", [False, True])
@pytest.mark.parametrize("call", OLD)
def test_a_graph_of_tensorflow_1_assigns(
    call: Callable[..., Any], is_resource: bool, tmp_path: Path
) -> None:
    truth, is_lost = saved_graph(call, is_resource, tmp_path / "model")
    reports = [
        analysed(tmp_path / "model", Options()).report,
        read(tmp_path / "model", Options()).report,
    ]
    for report in reports:
        verdicts = {variable.name: variable for variable in report.variables}
        assert {name: verdicts[name].verdict.value == "flows" for name in truth} == truth
        causes = [cause.code for cause in verdicts["k"].causes]
        assert causes == (["GF206"] if call is never_run else ["GF211"])
        assert lost(report) == (["buf"] if call in OLD_LOSING else [])
        if call is not in_old_branch:
            assert is_lost is (lost(report) == ["buf"])


def saved_graph(call: Callable[..., Any], is_resource: bool, folder: Path) -> tuple[Any, bool]:
    """Save a graph; return which of its variables TensorFlow brings a gradient to, and whether
    a run leaves nothing of the value that ``buf`` had."""
    import numpy as np
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        old_control_flow = v1.control_flow_v2_enabled()
        v1.disable_control_flow_v2()
        try:
            x = v1.placeholder(tf.float32, [4, 3], name="x")
            k, buf = (
                v1.get_variable(
                    name, initializer=tf.constant([0.5, 1.0, 2.0]), use_resource=is_resource
                )
                for name in ("k", "buf")
            )
            y = tf.identity(call(v1, x, buf, k), name="y")
        finally:
            if old_control_flow:
                v1.enable_control_flow_v2()
        gradients = dict(zip(("k", "buf"), v1.gradients(y, [k, buf]), strict=True))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
        left = []
        value = v1.placeholder(tf.float32, [3])
        given = v1.assign(buf, value)
        for number in (0.5, 7.0):
            session.run(given, {value: [number] * 3})
            session.run(y, {x: np.ones([4, 3])})
            left.append(session.run(buf))
    truth = {name: gradient is not None for name, gradient in gradients.items()}
    return truth, bool(np.array_equal(*left))
