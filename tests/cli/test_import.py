"""``--import MODULE``: layers and functions of the user's own, and ops of a library that is not
there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.errors import UsageError
from gradflow.files.saved_model.schema import message
from gradflow.findings import ModelReport
from tests.cli.command import CUT, SAMPLES, inspect, static

LAYERS = '''
import keras
from keras.layers import Dense

print("hello from the module")


class Distance(keras.layers.Layer):
    """Not registered with Keras."""

    def call(self, x):
        return keras.ops.stop_gradient(x)  # here


@keras.saving.register_keras_serializable("mine")
class Registered(keras.layers.Layer):
    def call(self, x):
        return x


def softsquare(x):
    return x * x


def relu(x):
    raise RuntimeError("a helper that Keras must not take for its own activation")
'''


@pytest.fixture(params=["model.keras", "model.h5"])
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a model in the working directory, which holds the module of its layers too."""
    import keras

    monkeypatch.chdir(tmp_path)
    Path("layers").mkdir()
    Path("layers", "__init__.py").touch()
    Path("layers", "own.py").write_text(LAYERS, encoding="utf-8")
    scope: dict[str, Any] = {"__name__": "layers.own"}
    before = dict(keras.saving.get_custom_objects())
    exec(LAYERS, scope)
    x = keras.Input((4,), name="x")
    hidden = scope["Distance"](name="distance")(
        keras.layers.Dense(4, name="behind", activation="relu")(x)
    )
    hidden = scope["Registered"](name="registered")(hidden)
    keras.Model(x, keras.layers.Dense(2, activation=scope["softsquare"], name="head")(hidden)).save(
        request.param
    )
    keras.saving.get_custom_objects().clear()
    keras.saving.get_custom_objects().update(before)
    return str(request.param)


@pytest.mark.tensorflow
def test_the_users_layers_are_found_in_the_module_that_is_imported(model: str) -> None:
    refused = inspect("-q", "--format", "json", model)
    assert refused.code == 0
    unloaded = json.loads(refused.stdout)["models"][0]
    assert (unloaded["mode"], unloaded["summary"]["unknown"]) == ("static", 4)
    # Keras says where the class was for one of them.
    module = "layers.own" if model.endswith(".keras") else "MODULE"
    hints = [finding["hint"] for finding in unloaded["findings"]]
    assert hints[0] == f"--import {module}, the module that defines them"
    assert all("--import MODULE" in hint for hint in hints[1:])
    done = inspect("-q", "--import", "layers.own", "--format", "json", model)
    assert done.code == 0, done
    report = json.loads(done.stdout)["models"][0]
    causes = {variable["name"]: variable["causes"] for variable in report["variables"]}
    line = 1 + next(number for number, text in enumerate(LAYERS.splitlines()) if "# here" in text)
    assert [(cause["layer"], cause["source"]) for cause in causes["behind/kernel"]] == [
        ("distance", f"own.py:{line}")
    ]
    assert causes["head/kernel"] == []


@pytest.mark.tensorflow
def test_a_package_gives_the_classes_of_the_modules_below_it(model: str) -> None:
    """As ``import tensorflow_model_optimization`` does, which has no PruneLowMagnitude itself; of
    two classes with one name neither is taken."""
    Path("layers", "__init__.py").write_text("import layers.own\nimport layers.other\n")
    Path("layers", "other.py").write_text("def unrelated(x):\n    return x\n")
    done = inspect("-q", "--import", "layers", "--import", "layers.own", model)
    assert (done.code, "Distance" in done.stdout) == (0, False)
    Path("layers", "own.py").write_text(LAYERS + "\ncount = 1\n", encoding="utf-8")
    Path("layers", "__init__.py").write_text(
        "import layers.own\nfrom layers.own import softsquare\n"
    )
    report = json.loads(inspect("-q", "--import", "layers", "--format", "json", model).stdout)
    assert report["models"][0]["mode"] == "tape"
    Path("layers", "other.py").write_text("class Distance:\n    pass\n")
    Path("layers", "__init__.py").write_text(
        "import layers.own\nimport layers.other\nfrom layers.own import softsquare\n"
    )
    unclear = inspect("-q", "--import", "layers", model).stdout
    assert "the class 'Distance', which --import layers does not define" in " ".join(
        unclear.split()
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("absent", "ModuleNotFoundError: No module named 'absent'"),
        ("broken", "ModuleNotFoundError: No module named 'layers.absent'"),
        ("script", "SystemExit: it ended with exit code 3"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(
    module: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "layers").mkdir()
    (tmp_path / "broken.py").write_text("import layers.absent\n", encoding="utf-8")
    (tmp_path / "script.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    line = inspect("-q", "--import", module, str(SAMPLES / "argmax.keras")).failed_in_one_line()
    assert f"--import {module}: cannot be imported: {told}" in line


@pytest.mark.parametrize("name", ["layers.py", "my/layers", "my-layers", ""])
def test_what_cannot_be_a_modules_name_is_refused_at_once(name: str) -> None:
    assert (
        f"--import {name!r}: not the name of a module"
        in inspect("--import", name, CUT).failed_in_one_line()
    )
    with pytest.raises(UsageError):
        gradflow.inspect(CUT, imports=[name])


def _with_unknown_ops(folder: Path) -> None:
    """Save a model and rename two of its op types to such as no TensorFlow has."""
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            for name in ("alive", "behind", "stopped"):
                setattr(self, name, tf.Variable(tf.ones([3]), name=name))

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def serve(self, x):
            return (
                x * self.alive
                + tf.nn.softplus(self.behind)
                + tf.nn.softsign(tf.stop_gradient(self.stopped))
            )

    module = Module()
    tf.saved_model.save(module, str(folder), signatures=module.serve.get_concrete_function())
    path = folder / "saved_model.pb"
    saved = message("SavedModel")()
    saved.ParseFromString(path.read_bytes())
    renamed = {"Softplus": "ProdEnvMatA", "Softsign": "TFText>Split"}
    graph = saved.meta_graphs[0]
    for op_def in graph.meta_info_def.stripped_op_list.op:
        op_def.name = renamed.get(op_def.name, op_def.name)
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            node.op = renamed.get(node.op, node.op)
    path.write_bytes(saved.SerializeToString())


@pytest.mark.tensorflow
def test_op_types_that_tensorflow_does_not_have_are_named(tmp_path: Path) -> None:
    _with_unknown_ops(tmp_path)
    refused = inspect("-q", str(tmp_path), COLUMNS="400")
    assert refused.code == 2
    assert "op ProdEnvMatA: is not known: no TensorFlow from 2.16 to" in refused.stdout
    assert "--import tensorflow_text" in refused.stdout
    done = inspect("-q", "--import", "json", str(tmp_path), COLUMNS="400")
    assert done.code == 0
    assert "it uses the op types ProdEnvMatA, TFText>Split, which TensorFlow" in done.stdout
    done = static("-q", "--format", "json", str(tmp_path))
    report = json.loads(done.stdout)["models"][0]
    found = {variable["name"]: variable for variable in report["variables"]}
    assert {name: variable["verdict"] for name, variable in found.items()} == {
        "alive": "flows",
        "behind": "unknown",
        "stopped": "none",
    }
    assert [(cause["code"], cause["op_type"]) for cause in found["behind"]["causes"]] == [
        ("GF203", "ProdEnvMatA")
    ]
    assert [(cause["code"], cause["op_type"]) for cause in found["stopped"]["causes"]] == [
        ("GF201", "StopGradient")
    ]
    told = {finding["message"]: finding["severity"] for finding in report["findings"]}
    assert [
        told[text] for text in told if "nothing is known about op type ProdEnvMatA" in text
    ] == ["note"]
    assert sorted(told.values()) == ["error", "note"]
    assert "ProdEnvMatA" in static("-q", str(tmp_path)).stdout


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("module", "hint"),
    [
        (
            "keras_nlp.src.models.bert",
            "pip install keras-nlp: gradflow looks in its own environment",
        ),
        ("own_package.layers", "--import own_package.layers, the module that defines it"),
    ],
)
def test_a_class_of_a_package_that_is_not_installed_is_said_with_the_package(
    tmp_path: Path, module: str, hint: str
) -> None:
    import zipfile

    from gradflow.options import Objective
    from tests.agreement.subject import report_on_file

    path = tmp_path / "model.keras"
    with zipfile.ZipFile(SAMPLES / "healthy.keras") as whole, zipfile.ZipFile(path, "w") as changed:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["module"], config["class_name"], config["registered_name"] = (
                    module,
                    "Backbone",
                    "own>Backbone",
                )
                content = json.dumps(config).encode()
            changed.writestr(name, content)
    report = report_on_file(path, objective=Objective.AUTO)
    assert isinstance(report, ModelReport)
    (warning,) = (finding for finding in report.findings if finding.code == "GF901")
    assert "it uses the class 'Backbone'" in warning.message
    assert warning.hint.startswith(hint)
