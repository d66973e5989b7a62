"""Random models with random flags: what is said about their freezing is what Keras does with
them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from gradflow.analysis.static import read
from gradflow.files.freezing import Doubt
from gradflow.files.keras.reader import read_keras
from gradflow.files.recognise import recognise
from gradflow.findings import Role
from gradflow.options import Options

pytestmark = pytest.mark.tensorflow

MODELS = 12
EXPORTED = (2, 3, 5, 9)
"""Seeds of models that have every kind of layer between them, with flags and without: an export
takes two seconds. The others are slow."""


@pytest.mark.parametrize("seed", range(MODELS))
def test_flags_that_a_keras_file_loses_are_those_that_keras_does_not_restore(
    seed: int, tmp_path: Path
) -> None:
    import keras

    path = tmp_path / "m.keras"
    model = random_model(seed)
    model.save(path)
    loaded = keras.models.load_model(path, compile=False)
    before, after = (
        {id(variable) for variable in one.trainable_variables} for one in (model, loaded)
    )
    pairs = list(zip(model.variables, loaded.variables, strict=True))
    lost = {new.path for old, new in pairs if id(new) in after and id(old) not in before}
    contents = read_keras(recognise(str(path)))
    said = {
        name
        for doubt in contents.doubts
        if doubt.kind is Doubt.FORGOTTEN
        for name in doubt.variables
    }
    assert said == lost
    assert {one.name for one in contents.variables if one.trainable} == {
        one.path for one in loaded.trainable_variables
    }


@pytest.mark.parametrize("seed", range(MODELS // 2))
@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_the_file_tells_the_places_among_the_layers_that_the_loaded_model_has(
    seed: int, name: str, tmp_path: Path
) -> None:
    import keras

    from gradflow.tape.load.keras3 import Keras3Model

    path = tmp_path / name
    random_model(seed).save(path)
    model = keras.models.load_model(path, compile=False)
    loaded = Keras3Model(model, training=True).stored
    places = {one.name: one.layer_path for one in loaded if one.role is Role.WEIGHT}
    stored = read(str(path), Options(static=True)).report.variables
    assert {one.name: one.layer_path for one in stored if one.role is Role.WEIGHT} == places


def test_the_exported_models_have_every_kind_of_layer() -> None:
    layers = [layer for seed in EXPORTED for layer in random_model(seed)._flatten_layers()]

    assert {type(layer).__name__ for layer in layers} >= {
        "Dense",
        "BatchNormalization",
        "LSTM",
        "Bidirectional",
        "TimeDistributed",
        "MultiHeadAttention",
        "Dropout",
    }


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=[] if seed in EXPORTED else pytest.mark.slow)
        for seed in range(4 * MODELS)
    ],
)
def test_what_an_export_unfreezes_is_what_was_frozen(seed: int, tmp_path: Path) -> None:
    model = random_model(seed)
    model.export(tmp_path, verbose=False)
    report = read(str(tmp_path), Options(static=True)).report
    weights = {
        id(variable) for layer in model._flatten_layers() for variable in layer._trainable_variables
    }
    trained = {id(variable) for variable in model.trainable_variables}
    frozen = {variable.path for variable in model.variables if id(variable) in weights - trained}
    assert {code for finding in report.findings if (code := finding.code) != "GF101"} == (
        {"GF102"} if frozen else set()
    )
    assert {
        name for finding in report.findings if finding.code == "GF102" for name in finding.variables
    } == frozen


def random_model(seed: int) -> Any:
    """Layers in submodels in submodels, with flags set here and there, one after the other."""
    import keras

    keras.backend.clear_session()
    draw = random.Random(seed)
    model = _model(draw, "m", 0)
    for _ in range(draw.randint(1, 4)):
        draw.choice(list(_configured(model))).trainable = draw.random() < 0.35
    return model


def _model(draw: random.Random, name: str, depth: int) -> Any:
    import keras

    inner = [
        _model(draw, f"{name}_{place}", depth + 1)
        if depth < 2 and draw.random() < 0.35
        else _layer(draw, f"{name}{place}")
        for place in range(draw.randint(1, 3))
    ]
    inputs = keras.Input((5, 6))
    if draw.random() < 0.4 and not any(
        isinstance(layer, keras.layers.MultiHeadAttention) for layer in inner
    ):
        return keras.Sequential([inputs, *inner], name=name)
    outputs = inputs
    for layer in inner:
        several = isinstance(layer, keras.layers.MultiHeadAttention)
        outputs = layer(outputs, outputs) if several else layer(outputs)
    return keras.Model(inputs, outputs, name=name)


def _layer(draw: random.Random, name: str) -> Any:
    from keras import layers

    makers = [
        lambda: layers.Dense(6, name=f"dense_{name}"),
        lambda: layers.BatchNormalization(name=f"norm_{name}"),
        lambda: layers.LSTM(6, return_sequences=True, name=f"lstm_{name}"),
        lambda: layers.Bidirectional(layers.GRU(3, return_sequences=True), name=f"both_{name}"),
        lambda: layers.TimeDistributed(layers.Dense(6), name=f"each_{name}"),
        lambda: layers.MultiHeadAttention(2, 3, name=f"mha_{name}"),
        lambda: layers.Dropout(0.3, name=f"drop_{name}"),
    ]
    return draw.choice(makers)()


def _configured(layer: Any) -> Any:
    """The layers that the file describes: not those that a layer makes in code."""
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _configured(inner)
