"""Where TensorFlow raises an error in a training step, the report has one, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import gradflow
from gradflow.findings import ModelReport, Severity
from gradflow.options import Options
from tests.agreement.subject import analysed
from tests.examples import examples
from tests.models.programs import Module, Program, programs, run

pytestmark = pytest.mark.tensorflow

EXAMPLES = settings(
    max_examples=examples(6),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
)
RAISING = frozenset({"GF203", "GF207", "GF210"})


@EXAMPLES
@given(programs())
def test_a_function_raises_where_the_report_says_so(program: Program) -> None:
    from gradflow.analysis.static import read

    raised = function_raises(program)
    report = gradflow.inspect(Module(program), entry="serve").models[0]
    assert bool(errors(report)) is raised, report.findings
    with TemporaryDirectory() as folder:
        Module(program).save(folder)
        static = read(str(Path(folder)), Options(static=True)).report
    assert bool(errors(static)) is raised, static.findings


@EXAMPLES
@given(programs())
def test_a_training_step_raises_where_the_report_says_so(program: Program) -> None:
    raised = step_raises(program)
    plain = {"x": "float32[4,3]"}
    report = gradflow.inspect(Plain(program), entry="serve", inputs=plain).models[0]
    assert bool(errors(report)) is raised, report.findings


def test_a_function_raises_for_its_data_too(tmp_path: Path) -> None:
    """A function is differentiated by all its arguments; the layer alone by what is trained."""
    import keras
    import tensorflow as tf

    inputs = keras.Input([4])
    count = keras.layers.Lambda(distinct, output_shape=(1,), name="count")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(count))
    assert errors(gradflow.inspect(model).models[0]) == []
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    with pytest.raises(LookupError), tf.GradientTape():
        loaded.serve(tf.ones([2, 4]))
    report = analysed(tmp_path / "exported", Options()).report
    assert len(errors(report)) == 1
    assert [finding.variables for finding in report.findings] == [()]


def two_ways(frozen: bool = False) -> Any:
    """A Keras model whose ``pre`` flows on one way, and meets an op without gradient on another."""
    import keras

    inputs = keras.Input([4])
    pre = keras.layers.Dense(3, name="pre", trainable=not frozen)
    hidden = pre(inputs)

    @keras.saving.register_keras_serializable("raising")
    class Count(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return distinct(inputs)

    count = Count(name="count")(hidden)
    head = keras.layers.Dense(1, name="head")(hidden)
    return keras.Model(inputs, [keras.layers.Multiply(name="mix")([head, count]), head])


def distinct(h: Any) -> Any:
    """Each row's sum, from the distinct numbers of them all."""
    import tensorflow as tf

    return tf.reshape(tf.reduce_sum(tf.unique(tf.reshape(h, [-1]))[0]) + 0.0 * h[:, 0], [-1, 1])


@pytest.mark.parametrize("frozen", [False, True])
def test_fit_raises_where_the_report_of_a_keras_model_says_so(frozen: bool, tmp_path: Path) -> None:
    import numpy as np

    fitted, model = two_ways(frozen), two_ways(frozen)
    for each in (fitted, model):
        each.compile("sgd", ["mse", "mse"], jit_compile=False)
    with pytest.raises(LookupError):
        fitted.fit(np.ones([2, 4]), [np.ones([2, 1])] * 2, verbose=0)
    for _ in range(2):  # a function that was differentiated once asks no op again
        report = gradflow.inspect(model).models[0]
        assert report.summary.flows == (2 if frozen else 4)
        assert len(errors(report)) == 1
    assert len(errors(gradflow.inspect(model, outputs=["mix"]).models[0])) == 1
    assert errors(gradflow.inspect(model, outputs=["head"]).models[0]) == []
    compiled = gradflow.inspect(model, objective="compiled").models[0]
    assert len(errors(compiled)) == 1
    model.save(tmp_path / "model.keras")
    report = analysed(tmp_path / "model.keras", Options(trust=True)).report
    assert len(errors(report)) == 1
    model.export(tmp_path / "exported", verbose=False)
    assert len(errors(analysed(tmp_path / "exported", Options()).report)) == 1


def test_nothing_is_said_where_nothing_is_trained() -> None:
    model = two_ways()
    model.trainable = False
    assert errors(gradflow.inspect(model).models[0]) == []


def test_a_shared_function_is_told_in_every_model_that_has_it() -> None:
    """The first model is differentiated, and the function keeps its gradient."""
    import keras
    import tensorflow as tf

    shared = tf.function(distinct)
    for _ in range(2):
        inputs = keras.Input([4])
        hidden = keras.layers.Dense(3)(inputs)
        count = keras.layers.Lambda(shared, output_shape=(1,))(hidden)
        model = keras.Model(inputs, [hidden, count])
        assert len(errors(gradflow.inspect(model).models[0])) == 1


def test_code_that_cannot_be_traced_is_told_by_the_step_alone() -> None:
    import tensorflow as tf

    module = tf.Module()
    module.w = tf.Variable([1.0, 2.0, 3.0], name="w")

    def serve(x: Any) -> Any:
        return x * module.w * float(tf.reduce_sum(x).numpy()) + tf.unique(module.w)[0]

    module.serve = serve
    report = gradflow.inspect(module, entry="serve", inputs={"x": "float32[4,3]"}).models[0]
    assert [finding.code for finding in report.findings] == ["GF203"]
    assert "LookupError at Unique" in errors(report)[0]


def test_a_disabled_gradient_is_met_op_by_op() -> None:
    """Outside of a tf.function the tape hands over no inputs of a PreventGradient."""
    import tensorflow as tf

    module = tf.Module()
    module.a = tf.Variable([1.0, 2.0, 3.0], name="a")
    module.b = tf.Variable([3.0, 2.0, 1.0], name="b")
    module.serve = lambda x: (
        x * module.a + tf.raw_ops.PreventGradient(input=module.a * module.b, message="not here")
    )
    report = gradflow.inspect(module, entry="serve", inputs={"x": "float32[4,3]"}).models[0]
    assert [(item.name, item.verdict.value) for item in report.variables] == [
        ("a", "flows"),
        ("b", "none"),
    ]
    assert [finding.code for finding in report.findings] == ["GF207"]
    assert len(errors(report)) == 1


def test_a_graph_of_tensorflow_1_raises_too(tmp_path: Path) -> None:
    import tensorflow as tf

    from tests.models.graphs import save_graph, v1, variable

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        kept = variable("kept", [3])
        count = tf.reduce_sum(tf.unique(kept)[0])
        unseen = tf.reduce_sum(tf.unique(x[0])[0])
        return {"x": x}, {"y": x * kept + count + unseen}

    save_graph(tmp_path / "model", build)
    for report in (
        analysed(tmp_path / "model", Options()).report,
        gradflow.inspect(tmp_path / "model", static=True).models[0],
    ):
        assert [variable.verdict.value for variable in report.variables] == ["flows"]
        assert len(errors(report)) == 1


def errors(report: ModelReport) -> list[str]:
    """The messages of the errors that say so."""
    assert report.error is None, report.error
    return [
        finding.message
        for finding in report.findings
        if finding.code in RAISING and finding.severity is Severity.ERROR
    ]


def function_raises(program: Program) -> bool:
    """Whether a bare tape over the function does."""
    import tensorflow as tf

    module = Module(program)
    try:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(module.serve(tf.ones([4, 3])))
        tape.gradient(total, module.trainable_variables)
    except LookupError:
        return True
    return False


def step_raises(program: Program) -> bool:
    """Whether a function that holds the tape does, as fit has one."""
    import tensorflow as tf

    module = Plain(program)

    @tf.function(autograph=False)
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(module.serve(x))
        return tape.gradient(total, module.trainable_variables)

    try:
        step.get_concrete_function(tf.ones([4, 3]))
    except LookupError:
        return True
    return False


def Plain(program: Program) -> Any:
    """The program as a method that is no tf.function."""
    module = Module(program)
    module.serve = lambda x: run(program, [x[0], *module.weights])
    return module
