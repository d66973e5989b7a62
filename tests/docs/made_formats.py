"""Make a small file of each format that the first table of docs/formats.md lists."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

SAMPLES = Path(__file__).parents[2] / "sample_models"


def _sample(name: str) -> Callable[[Path], Path]:
    return lambda folder: SAMPLES / name


def _saved_by_tensorflow(folder: Path) -> Path:
    import keras

    from tests.models.planted import save

    return save(keras.models.load_model(SAMPLES / "argmax.keras", compile=False), folder, "saved")


def _keras(build: str, suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from tests.models import keras2_models

        path = folder / f"model{suffix}"
        model = getattr(keras2_models, build)()
        model.save(path) if suffix else model.save(path, save_format="tf")
        return path

    return make


def _graph(build: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from tests.models import graphs

        graphs.save_graph(folder / "model", getattr(graphs, build))
        return folder / "model"

    return make


def _special(save: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from tests.models import special_files

        getattr(special_files, save)(folder / "model")
        return folder / "model"

    return make


def _lambda(folder: Path) -> Path:
    import keras

    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Lambda(lambda value: value * 2.0)(x)))
    model.save(folder / "lambda.keras")
    return folder / "lambda.keras"


def _weights(folder: Path) -> Path:
    import keras

    model: Any = keras.models.load_model(SAMPLES / "argmax.keras", compile=False)
    model.save_weights(folder / "m.weights.h5")
    return folder / "m.weights.h5"


def _checkpoint(folder: Path) -> Path:
    import tensorflow as tf

    tf.train.Checkpoint(a=tf.Variable(1.0)).save(str(folder / "ckpt"))
    return folder


def _no_variables(folder: Path) -> Path:
    path = folder / "model"
    shutil.copytree(SAMPLES / "argmax_saved_model", path)
    shutil.rmtree(path / "variables")
    return path


def _pointer(folder: Path) -> Path:
    path = folder / "model.h5"
    path.write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1024\n"
    )
    return path


def _lite(folder: Path) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(64))
    return path


MADE: MappingProxyType[str, Callable[[Path], Path]] = MappingProxyType(
    {
        "Keras 3 `.keras`": _sample("argmax.keras"),
        "Keras 3 `.h5`": _sample("argmax.h5"),
        "Keras 3 `model.export(...)`": _sample("argmax_saved_model"),
        "Keras 3 `tf.saved_model.save(model)`": _saved_by_tensorflow,
        "Keras 3 `.keras` with a Lambda layer": _lambda,
        "Keras 2 `.keras`": _keras("stopped", ".keras"),
        "Keras 2 `.h5`": _keras("stopped", ".h5"),
        "Keras 2 SavedModel": _keras("stopped", ""),
        "`tf.Module` with several signatures": _special("save_two_signatures"),
        "TensorFlow 1 session export, variables of the reference type": _graph("references"),
        "TensorFlow 1 session export, resource variables": _graph("resources"),
        "TensorFlow 1 lookup table and embedding": _graph("table_and_embedding"),
        "frozen graph in a SavedModel": _special("save_frozen_graph"),
        "SavedModel with ops of a library that is not installed": _special("save_foreign_op"),
        "SavedModel without its variables": _no_variables,
        "weights file (`model.save_weights`)": _weights,
        "TensorFlow checkpoint": _checkpoint,
        "Git LFS pointer": _pointer,
        "TensorFlow Lite": _lite,
    }
)
