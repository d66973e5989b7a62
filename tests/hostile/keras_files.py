"""Keras files that touch a marker file when they are loaded or called."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras

Maker = Callable[[Path, str], Path]
"""Makes the file in a folder and returns it; the second argument is the marker file."""


def with_code(library: Any, code: str, path: Path) -> Path:
    """Save a model with a Lambda layer that runs ``code`` when it is called."""
    x = library.Input((3,))
    # Keras 3.15 does not bring back a lambda with default values: the code is a constant of it.
    act = library.layers.Lambda(
        eval(f"lambda value: (exec({code!r}, {{}}), value)[1]"), output_shape=(3,)
    )
    library.Model(x, library.layers.Dense(2)(act(x))).save(path)
    return path


def touching(mark: str) -> str:
    """Python code that touches the marker."""
    return f"open({mark!r}, 'w').close()"


def byte_code(folder: Path, mark: str) -> Path:
    return with_code(keras, touching(mark), folder / "model.keras")


def byte_code_in_hdf5(folder: Path, mark: str) -> Path:
    return with_code(keras, touching(mark), folder / "model.h5")


def byte_code_of_keras_2(folder: Path, mark: str) -> Path:
    import tf_keras

    return with_code(tf_keras, touching(mark), folder / "model.h5")


def byte_code_of_keras_2_in_a_zip(folder: Path, mark: str) -> Path:
    import tf_keras

    return with_code(tf_keras, touching(mark), folder / "model.keras")


def another_saved_model(folder: Path, mark: str) -> Path:
    from tests.hostile.saved_models import in_a_call

    in_a_call(folder / "inner", mark)
    x = keras.Input((3,))
    loaded = keras.layers.TFSMLayer(str(folder / "inner"), call_endpoint="serving_default")(x)
    keras.Model(x, loaded).save(folder / "model.keras")
    return folder / "model.keras"


def by_name_of_keras_2(folder: Path, mark: str, **entry: str) -> Path:
    """A file with a function of a module that Keras 2 imports: it can be any module."""
    import tf_keras

    module = f"acts_of_{folder.name}"
    (folder / f"{module}.py").write_text(f"def act(x):\n    {touching(mark)}\n    return x\n")
    x = tf_keras.Input((3,))
    act = tf_keras.layers.Lambda(lambda value: value, name="act")(x)
    tf_keras.Model(x, tf_keras.layers.Dense(2)(act)).save(folder / "plain.keras")
    with (
        zipfile.ZipFile(folder / "plain.keras") as source,
        zipfile.ZipFile(folder / "model.keras", "w") as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                config = json.loads(data)
                layer = next(
                    one for one in config["config"]["layers"] if one["class_name"] == "Lambda"
                )
                function = {"module": module, "registered_name": "act", **entry}
                layer["config"] |= {"function": function, "function_type": "function"}
                data = json.dumps(config).encode()
            target.writestr(name, data)
    return folder / "model.keras"


def a_function_by_name(folder: Path, mark: str) -> Path:
    return by_name_of_keras_2(folder, mark, class_name="function", config="act")


def a_function_as_a_class(folder: Path, mark: str) -> Path:
    return by_name_of_keras_2(folder, mark, class_name="act", config="")


HARMFUL: Mapping[str, Maker] = MappingProxyType(
    {
        one.__name__: one
        for one in (
            byte_code,
            byte_code_in_hdf5,
            byte_code_of_keras_2,
            byte_code_of_keras_2_in_a_zip,
            another_saved_model,
            a_function_by_name,
            a_function_as_a_class,
        )
    }
)
"""By name; each touches its marker where it is loaded without safe mode, and called."""


def named_function(folder: Path, module: str, function: str, argument: str) -> Path:
    """A file whose layer has a function of Python's own in the place of its activation."""
    plain = folder / "plain.keras"
    x = keras.Input((3,))
    keras.Model(x, keras.layers.Dense(2, name="dense")(x)).save(plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(folder / "model.keras", "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                config = json.loads(data)
                dense = next(
                    one for one in config["config"]["layers"] if one["class_name"] == "Dense"
                )
                function_ = {
                    "class_name": "function",
                    "module": module,
                    "config": function,
                    "registered_name": function,
                }
                dense["config"]["activation"] = function_
                dense["config"]["bias_initializer"] = argument
                data = json.dumps(config).encode()
            target.writestr(name, data)
    return folder / "model.keras"
