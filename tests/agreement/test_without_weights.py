"""A model that only prepares data has no weights, and nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.findings import Failure, ModelReport, Status
from gradflow.report.headline import statement
from tests.agreement.subject import report_on_file

pytestmark = pytest.mark.tensorflow


def vectorizer() -> Any:
    import keras

    layer = keras.layers.TextVectorization(max_tokens=20, output_sequence_length=5)
    layer.adapt(["a b c", "d e"])
    return layer


def save_sequential(path: Path) -> None:
    import keras

    keras.Sequential([keras.Input([1], dtype="string"), vectorizer()]).save(path)


def save_unbuilt(path: Path) -> None:
    import keras

    keras.Sequential([vectorizer()]).save(path)


def save_augmentation(path: Path) -> None:
    import keras

    inner = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.RandomFlip()])
    keras.Sequential([inner, keras.layers.Flatten()]).save(path)


def save_augmentation_of_keras_2(path: Path) -> None:
    keras2 = pytest.importorskip("tf_keras")
    inner = keras2.Sequential([keras2.layers.Resizing(4, 4), keras2.layers.RandomFlip()])
    keras2.Sequential([inner, keras2.layers.Flatten()]).save(path)


def save_layer(path: Path) -> None:
    import tensorflow as tf

    tf.saved_model.save(vectorizer(), str(path))


def save_table(path: Path) -> None:
    import tensorflow as tf

    values = tf.lookup.KeyValueTensorInitializer(["a"], [1])
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(values, 0)
    tf.saved_model.save(module, str(path))


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("sequential.keras", save_sequential),
        ("unbuilt.keras", save_unbuilt),
        ("augmentation.keras", save_augmentation),
        ("augmentation.h5", save_augmentation),
        ("keras2.keras", save_augmentation_of_keras_2),
        ("layer", save_layer),
        ("table", save_table),
    ],
)
def test_a_file_that_prepares_data_has_nothing_to_train(
    name: str, save: Callable[[Path], None], tmp_path: Path
) -> None:
    save(tmp_path / name)
    report = report_on_file(tmp_path / name)
    assert isinstance(report, ModelReport), report
    assert statement(report) == "no weights, nothing to train"
    assert report.findings == ()


def test_an_unbuilt_model_whose_layers_can_get_weights_is_not_taken_for_one() -> None:
    import keras

    (augmentation,) = gradflow.inspect(keras.Sequential([keras.layers.Rescaling(2.0)])).models
    assert augmentation.status is Status.ANALYZED
    for layer in (keras.layers.Dense(2), keras.layers.BatchNormalization()):
        model = keras.Sequential([keras.layers.Rescaling(2.0), layer])
        (unbuilt,) = gradflow.inspect(model).models
        assert isinstance(unbuilt.error, Failure)
        assert "is not built" in unbuilt.error.message
