"""What is said of a model that does not load: the true reason, and what would help."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from gradflow.errors import UsageError
from gradflow.files.recognise import recognise
from gradflow.findings import Finding, Mode
from gradflow.options import Options

pytestmark = pytest.mark.tensorflow

MODULE = "import tf_keras\nclass First(tf_keras.layers.Dense): pass\n"
OF_KERAS_3 = """
import tensorflow as tf
class First(tf.keras.layers.Dense):
    def __init__(self, **options):
        raise TypeError("not like this")
class Second(First): pass
"""
OF_KERAS_2 = "import tensorflow as tf\nlayer = tf.keras.layers.LocallyConnected1D\n"


def refused(path: Path, folder: str = "", *imports: str) -> Finding:
    from gradflow.analysis.dynamic import analyse_file

    report = analyse_file(recognise(path), str(path), Options(imports=imports), folder).report
    assert report.mode is Mode.STATIC
    return report.findings[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Files of Keras 2 with two classes of the user's, and with a layer without a flag; modules."""
    import h5py
    import tf_keras

    folder = tmp_path_factory.mktemp("refused")
    kinds = [type(name, (tf_keras.layers.Dense,), {}) for name in ("First", "Second")]
    own = tf_keras.Sequential([tf_keras.Input([4]), *(kind(3) for kind in kinds)])
    own.save(folder / "own.h5")
    own.save(folder / "own.keras")
    plain = tf_keras.Sequential([tf_keras.Input([4]), tf_keras.layers.Dense(3, name="stem")])
    plain.add(tf_keras.layers.BatchNormalization())
    plain.save(folder / "plain.keras")
    plain.save(folder / "null.h5")
    with h5py.File(folder / "null.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"]["trainable"] = None
        file.attrs["model_config"] = json.dumps(config)
    for name, text in (("one_of_two", MODULE), ("of3", OF_KERAS_3), ("of2", OF_KERAS_2)):
        (folder / f"{name}.py").write_text(text)
    yield folder


def test_all_missing_classes_are_named(folder: Path) -> None:
    finding = refused(folder / "own.h5")
    assert "it uses the classes 'First' and 'Second', which Keras does not have" in finding.message
    assert finding.hint == "--import MODULE, the module that defines them"


@pytest.mark.parametrize(("version", "suffix"), [(2, "h5"), (3, "h5"), (3, "keras")])
def test_missing_functions_are_named_too(version: int, suffix: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras" if version == 2 else "keras")
    own = type("Doubled", (keras.layers.Dense,), {})

    def bent(x: Any) -> Any:
        return x * x

    def level(x: Any) -> Any:
        return x + 1.0

    registered = keras.saving.register_keras_serializable("ours")(bent)
    model = keras.Sequential([keras.Input([4]), own(3, activation=registered)])
    model.add(keras.layers.Dense(2, activation=level))
    model.save(tmp_path / f"own.{suffix}")
    keras.saving.get_custom_objects().pop("ours>bent")
    finding = refused(tmp_path / f"own.{suffix}")
    assert (
        "it uses the class 'Doubled' and the functions 'bent' and 'level', which Keras does not"
        in finding.message
    )
    assert finding.hint.endswith(", the module that defines them")


def test_all_that_a_file_takes_from_a_module_is_named_with_it(folder: Path) -> None:
    finding = refused(folder / "own.keras")
    assert f"it uses 'First' and 'Second' of the module '{__name__}'" in finding.message
    assert finding.hint == f"--import {__name__}"


def test_what_an_import_does_not_define_is_said_and_not_asked_for_again(folder: Path) -> None:
    finding = refused(folder / "own.h5", str(folder), "one_of_two")
    assert "the class 'Second', which --import one_of_two does not define" in finding.message
    assert finding.hint == "give the module that defines it with another --import"


def test_a_flag_that_is_neither_true_nor_false_names_its_layer(folder: Path) -> None:
    finding = refused(folder / "null.h5")
    assert finding.message.endswith("trainable of stem is neither true nor false in it")
    assert "load it with" not in finding.hint


@pytest.mark.parametrize("name", ["plain.keras", "own.h5", "null.h5"])
def test_without_tf_keras_a_file_of_keras_2_says_what_to_install(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradflow.tape.load.keras2.is_installed", lambda: False)
    finding = refused(folder / name)
    assert "does not have" not in finding.message
    assert "tf_keras, the Keras 2 of today, is not installed" in finding.message
    assert finding.hint.startswith("pip install 'gradflow-tf[keras2]'")
    assert ("--import" in finding.hint) == (name == "own.h5")


def test_classes_of_the_keras_that_did_not_write_the_file_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    assert "set TF_USE_LEGACY_KERAS=1" in refused(folder / "own.h5", str(folder), "of3").hint


def test_a_module_that_wants_keras_2_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    with pytest.raises(UsageError, match="cannot be imported: AttributeError") as caught:
        refused(folder / "own.h5", str(folder), "of2")
    assert "set TF_USE_LEGACY_KERAS=1" in caught.value.hint


def saved(path: Path, build: Callable[[Any], Any], weights: int) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable(tf.ones([weights]), name="weight")
    module.call = tf.function(
        lambda x: build(tf.reduce_sum(x) * module.weight),
        input_signature=[tf.TensorSpec([None, 3], name="x")],
    )
    tf.saved_model.save(module, str(path))


def test_a_graph_and_variables_of_different_runs_are_told_apart(tmp_path: Path) -> None:
    for name, weights in (("first", 3), ("second", 4)):
        saved(tmp_path / name, lambda product: product, weights)
    shutil.rmtree(tmp_path / "first" / "variables")
    shutil.copytree(tmp_path / "second" / "variables", tmp_path / "first" / "variables")
    finding = refused(tmp_path / "first")
    assert "its graph and the files of its variables come from different exports" in finding.message
    assert finding.hint == "copy saved_model.pb and the folder variables of one and the same export"


def test_so_are_those_of_a_graph_of_tensorflow_1(tmp_path: Path) -> None:
    """A resource variable takes any shape from a checkpoint, and the step failed in the end."""
    import tensorflow as tf

    for name, weights in (("first", 3), ("second", 5)):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
            weight = tf.compat.v1.get_variable("weight", [4, weights], use_resource=True)
            session.run(tf.compat.v1.global_variables_initializer())
            tf.compat.v1.saved_model.simple_save(
                session, str(tmp_path / name), {"x": x}, {"y": tf.matmul(x, weight)}
            )
    shutil.rmtree(tmp_path / "first" / "variables")
    shutil.copytree(tmp_path / "second" / "variables", tmp_path / "first" / "variables")
    finding = refused(tmp_path / "first")
    assert "its graph and the files of its variables come from different exports" in finding.message
    assert "(4, 5)" in finding.message


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_layers_and_weights_of_different_models_are_told(tmp_path: Path, suffix: str) -> None:
    import keras

    for name, units in (("first", 3), ("second", 5)):
        layers = [keras.Input((4,)), keras.layers.Dense(units, name="hidden")]
        keras.Sequential(layers, name="m").save(tmp_path / f"{name}.{suffix}")
    mixed = tmp_path / f"mixed.{suffix}"
    if suffix == "h5":
        shutil.copy(tmp_path / "first.h5", mixed)
        with h5py.File(mixed, "r+") as file, h5py.File(tmp_path / "second.h5") as other:
            file.attrs["model_config"] = other.attrs["model_config"]
    else:
        first, second = (
            zipfile.ZipFile(tmp_path / f"{name}.keras") for name in ("first", "second")
        )
        with zipfile.ZipFile(mixed, "w") as file, first, second:
            for member in first.namelist():
                source = second if member.endswith(".h5") else first
                file.writestr(member, source.read(member))
    assert "its layers and its weights are of different models" in refused(mixed).message


def test_an_op_without_a_kernel_here_is_told(tmp_path: Path) -> None:
    import tensorflow as tf

    def recurrent(product: Any) -> Any:
        states = [tf.zeros([1, 2, 4])] * 2
        sequence = tf.zeros([5, 2, 3]) + tf.reduce_sum(product)
        return tf.raw_ops.CudnnRNN(
            input=sequence, input_h=states[0], input_c=states[1], params=tf.zeros([200])
        ).output

    saved(tmp_path / "model", recurrent, 3)
    finding = refused(tmp_path / "model")
    assert "it uses the op type CudnnRNN, for which TensorFlow" in finding.message
    assert "a machine with the device" in finding.hint
