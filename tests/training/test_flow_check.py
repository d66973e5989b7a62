"""The callback for ``fit()`` looks into the batches that it is asked for, and changes nothing."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import gradflow
from gradflow.findings import Confidence, Role, Verdict
from gradflow.options import in_python
from gradflow.report.layout import Layout
from gradflow.report.text import render_model
from tests.training.mistakes import DATA, dense, sgd

pytestmark = pytest.mark.tensorflow
ONES = np.ones((6, 1), "float32")


def _model(library: Any = keras, **compiled: Any) -> Any:
    library.utils.set_random_seed(2)
    first = library.layers.Dense(4, "tanh", name="first")
    # XLA draws tf_keras's dropout anew in each process and model: no two runs are alike there.
    rate = 0.0 if compiled.get("jit_compile") and library is not keras else 0.1
    layers = [library.Input([3]), first, library.layers.Dropout(rate)]
    model = library.Sequential([*layers, library.layers.Dense(1, name="second")], name="net")
    model.compile(library.optimizers.Adam(0.01), "mse", **compiled)
    return model


def _fitted(model: Any, *callbacks: Any) -> list[bytes]:
    model.fit(DATA, ONES, batch_size=2, epochs=2, verbose=0, callbacks=list(callbacks))
    return [np.asarray(weight.numpy()).tobytes() for weight in model.weights]


def test_the_first_batch_is_looked_into_and_nothing_else_changes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = _model()
    check = gradflow.keras.FlowCheck(every=4, log_dir=tmp_path)
    weights = _fitted(model, check)
    printed = capsys.readouterr().out
    assert printed.count("net: all 4 weights receive a gradient") == 2  # of batches 0 to 5
    assert weights == _fitted(_model())

    steps: dict[str, set[int]] = {}
    drawn = ""
    for file in tmp_path.iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                steps.setdefault(value.tag, set()).add(event.step)
                if value.tag == "gradflow/map":
                    drawn = value.tensor.string_val[0].decode()
    norms = {f"gradient_norm/net/{layer}" for layer in ("first", "second")}
    assert steps == {tag: {0, 4} for tag in norms | {"gradflow", "gradflow/map"}}
    first, second = (
        re.search(rf"^ *net/{layer}  gradient, 2 weights, norm ", drawn, re.MULTILINE)
        for layer in ("first", "second")
    )
    assert first and second and first.start() < second.start()


def test_what_is_expected_can_end_fit() -> None:
    first, second = dense(3, "first"), dense(1, "second")
    first.trainable = False
    model = keras.Sequential([keras.Input([3]), first, second], name="net")
    model.compile(sgd(), "mse", run_eagerly=True)

    model.fit(DATA, ONES, verbose=0, callbacks=[gradflow.keras.FlowCheck(on_problem="raise")])
    for expected in ({"frozen": ["second/**"]}, {"trainable": ["first/**"]}):
        check = gradflow.keras.FlowCheck(on_problem="raise", **expected)
        with pytest.raises(gradflow.keras.FlowError, match="GF401"):
            model.fit(DATA, ONES, verbose=0, callbacks=[check])
    check = gradflow.keras.FlowCheck(
        on_problem="raise", frozen=["first/**"], trainable=["second/**"]
    )
    model.fit(DATA, ONES, verbose=0, callbacks=[check])
    assert check.report is not None and check.report.ok


@pytest.mark.parametrize("width", [80, 140])
def test_the_report_fits_where_it_is_printed(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    names = [f"a_layer_whose_name_is_rather_long_{number}" for number in range(3)]
    layers = [keras.layers.Dense(3, keras.ops.round, name=name) for name in names]
    model = keras.Sequential([keras.Input([3]), *layers, dense(1, "head")], name="net")
    model.compile(sgd(), "mse", run_eagerly=True)
    check = gradflow.keras.FlowCheck(every=2)
    model.fit(DATA, ONES, batch_size=2, verbose=1, callbacks=[check])
    printed = re.split(r"(?m)^(?=net: )", capsys.readouterr().out)  # each begins a line
    assert check.report is not None and len(printed) == 3
    [model_report] = check.report.models
    text = render_model(model_report, Layout(width=width))
    assert printed[2].startswith(in_python(text))
    assert width - 30 < max(map(len, text.splitlines())) <= width


def test_what_a_stream_cannot_hold_is_written_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "ascii", write_through=True))
    layers = [keras.layers.Dense(3, keras.ops.round), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input([3]), *layers])
    model.compile(sgd(), "mse", run_eagerly=True)
    model.fit(DATA, ONES, verbose=0, callbacks=[gradflow.keras.FlowCheck()])
    assert b"X " in written.getvalue() and b"GF202" in written.getvalue()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(gradflow.UsageError, match="on_problem='stop'; it is 'print' or 'raise'"):
        gradflow.keras.FlowCheck(on_problem="stop")
    with pytest.raises(gradflow.UsageError, match="every=0; it is a number of batches, from 1"):
        gradflow.keras.FlowCheck(every=0)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize(
    "compiled", [{"steps_per_execution": 3}, {"run_eagerly": True}, {"jit_compile": True}]
)
def test_every_way_to_compile_trains_as_unwatched(library: str, compiled: dict[str, Any]) -> None:
    module = pytest.importorskip(library)
    check = gradflow.keras.FlowCheck(every=2)
    weights = _fitted(_model(module, **compiled), check)
    assert weights == _fitted(_model(module, **compiled))
    assert check.report is not None
    weights_of_report = [
        item for item in check.report.models[0].variables if item.role is Role.WEIGHT
    ]
    assert [item.verdict for item in weights_of_report] == [Verdict.FLOWS] * 4


_MIRRORED = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
import numpy as np
import gradflow

def trained(callbacks):
    keras.utils.set_random_seed(0)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        inputs = keras.Input([3])
        hard = keras.ops.round(keras.layers.Dense(3, name="hard")(inputs))
        soft = keras.layers.Dense(3, "tanh", name="soft")(inputs)
        model = keras.Model(inputs, keras.layers.Dense(1, name="head")(hard + soft))
        model.compile(keras.optimizers.SGD(0.1), "mse")
    data = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    model.fit(data, np.ones((8, 1)), batch_size=4, verbose=0, callbacks=callbacks)
    return [weight.numpy().tobytes() for weight in model.weights]

check = gradflow.keras.FlowCheck()
assert trained([check]) == trained([])
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    dead = keras.layers.Dense(3, "relu", bias_initializer=keras.initializers.Constant(-99.0))
    dead.build((None, 3))

    def replica(batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(dead(batch))
        tape.gradient(loss, dead.trainable_variables)

    with gradflow.watch() as watched:
        tf.function(strategy.run)(replica, args=(tf.ones([2, 3]),))
[finding] = [item for item in watched.report.models[0].findings if item.code == "GF303"]
print("cause", finding.cause.op_type)
[report] = check.report.models
for variable in report.variables:
    codes = ",".join(cause.code for cause in variable.causes)
    print("weight", variable.name, variable.verdict.value, variable.confidence.value, codes)
"""


@pytest.mark.slow
def test_two_replicas_are_looked_into() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _MIRRORED], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    lines = [line.split()[1:] for line in ran.stdout.splitlines() if line.startswith("weight ")]
    assert "cause Relu" in ran.stdout.splitlines()
    static = Confidence.STATIC.value
    assert sorted(map(tuple, lines)) == [
        ("hard/bias", "none", static, "GF202"),
        ("hard/kernel", "none", static, "GF202"),
        ("head/bias", "flows", static),
        ("head/kernel", "flows", static),
        ("soft/bias", "flows", static),
        ("soft/kernel", "flows", static),
    ]
