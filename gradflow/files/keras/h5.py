"""List the variables of a Keras file in HDF5 (``.h5``, Keras 1 to 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gradflow.errors import FETCH_AGAIN, DamagedError
from gradflow.files.hdf5 import dtype_of, list_attribute, member, shape_of, text_attribute
from gradflow.files.keras.cells import cells_of
from gradflow.files.keras.config import LayerConfig, read_config
from gradflow.files.keras.layer_table import (
    RECURRENT,
    inner_layer,
    is_known,
    name_of_keras1,
)
from gradflow.files.keras.opened import CONFIG, hdf5_of, hdf5_texts, model_json
from gradflow.files.keras.variables import Owned
from gradflow.files.model_file import ModelFile
from gradflow.text import shown

_TOP_LEVEL = "top_level_model_weights"
_WRAPPERS = ("TimeDistributed", "Bidirectional")
_CELL_WEIGHTS = ("kernel", "recurrent_kernel", "bias")
_COUNTER = re.compile(r"_\d+$")
_Made = dict[tuple[LayerConfig, str], LayerConfig]


def read_h5(file: ModelFile) -> tuple[LayerConfig, list[Owned], str | None]:
    """Configuration, variables and the version of Keras that wrote the file.

    Raises:
        DamagedError: the file is broken, or lacks the configuration or the weights.
    """
    shown_path, value = shown(file.path), model_json(file)
    if hdf5_texts(file).get(CONFIG) is None:
        raise DamagedError(
            f"{shown_path}: holds no model configuration",
            "save the whole model with model.save(...)",
        )
    config = read_config(value, shown_path)
    with hdf5_of(file) as hdf5:
        weights = member(hdf5, "model_weights")
        if not hasattr(weights, "keys"):  # nothing, or an array
            raise DamagedError(
                f"{shown_path}: holds no weights", "save the whole model with model.save(...)"
            )
        version = text_attribute(hdf5, "keras_version") or text_attribute(weights, "keras_version")
        return config, list(_variables(config, weights, shown_path)), version


def _variables(model: LayerConfig, weights: Any, shown_path: str) -> Iterator[Owned]:
    tops = {layer.name: layer for layer in model.parts.get("layers", ())}
    inner_layers: _Made = {}
    names = list_attribute(weights, "layer_names")
    if member(weights, _TOP_LEVEL) is not None and _TOP_LEVEL not in names:
        names.append(_TOP_LEVEL)
    for layer_name in names:
        if layer_name not in weights:
            raise DamagedError(
                f"{shown_path}: lists the layer {layer_name!r} and holds no weights of it",
                FETCH_AGAIN,
            )
        group = member(weights, layer_name)
        if group is None:  # a link to another file
            continue
        top = tops.get(layer_name, model)
        for stored in list_attribute(group, "weight_names"):
            dataset = member(group, stored)
            if dataset is None or not hasattr(dataset, "dtype"):
                raise DamagedError(
                    f"{shown_path}: lists the weight {stored!r} and does not hold it", FETCH_AGAIN
                )
            name = stored.removesuffix(":0")
            name = name if "/" in name else f"{layer_name}/{name}"
            yield _owned(top, name, dataset, inner_layers)


def _owned(top: LayerConfig, name: str, dataset: Any, inner_layers: _Made) -> Owned:
    *segments, variable = name.split("/")
    layer, rest = _match(top, segments)
    if layer.is_model and (inner := _named_in(layer, variable)) is not None:
        layer, rest = inner, []
    is_matched = not rest or rest is not segments
    while layer.class_name in _WRAPPERS and len(layer.parts.get("layer", ())) == 1:
        # The wrapper owns nothing; Keras 2 names the weights after it.
        layer = layer.parts["layer"][0]
        is_matched = (
            is_matched and layer.parent is not None and layer.parent.class_name != "Bidirectional"
        )
    cell = _cell(layer, variable)
    if cell is not None:
        path = f"{layer.path}/{variable}" if is_matched else name
        return Owned(cell, _COUNTER.sub("", variable), path, shape_of(dataset), dtype_of(dataset))
    if is_matched and not rest and layer.class_name in RECURRENT and variable in _CELL_WEIGHTS:
        rest = ["cell"]  # Keras 2 before 2.3 names no cell
    if (
        is_matched
        and rest
        and not layer.is_model
        and (_composite(layer) or not is_known(layer.class_name))
    ):
        layer = _inner(layer, rest, inner_layers)
    path = f"{layer.path}/{variable}" if is_matched else name
    return Owned(layer, variable, path, shape_of(dataset), dtype_of(dataset))


def _match(top: LayerConfig, segments: list[str]) -> tuple[LayerConfig, list[str]]:
    """Return the innermost layer that the segments name, and the segments after it (all of them
    where none names one)."""
    # Keras 2 numbers again what is loaded again: `dense_1_1/kernel` of `dense_1`.
    for strip in (False, True):
        layer, rest = top, segments
        for index, segment in enumerate(segments):
            name = _COUNTER.sub("", segment) if strip else segment
            matching = next((inner for inner in layer.below() if inner.name == name), None)
            if matching is not None:
                layer, rest = matching, segments[index + 1 :]
        if rest is not segments:
            break
    return layer, rest


def _named_in(model: LayerConfig, variable: str) -> LayerConfig | None:
    """Return the layer of ``model`` after which Keras 1 named a variable: ``dense_1_W``."""
    layers = [layer for layer in model.below() if name_of_keras1(layer, variable)]
    return max(layers, key=lambda layer: len(layer.name), default=None)


def _inner(layer: LayerConfig, rest: list[str], inner_layers: _Made) -> LayerConfig:
    """Return a layer that ``layer`` makes in code, at the names ``rest`` below it."""
    for segment in rest:
        key = (layer, segment)
        if key not in inner_layers:
            stored_name = None if segment == "cell" else segment
            inner_layers[key] = inner_layer(layer, segment, stored_name)
        layer = inner_layers[key]
    return layer


def _cell(layer: LayerConfig, variable: str) -> LayerConfig | None:
    """Return the cell of an RNN that a variable belongs to; None where that cannot be told.

    Keras 2 names them after the RNN, and numbers what several cells have: ``kernel_1``.
    """
    name = _COUNTER.sub("", variable)
    if layer.class_name != "RNN" or name not in _CELL_WEIGHTS:
        return None
    cells = cells_of(layer)
    if name == "bias":
        cells = [cell for cell in cells if cell.options.get("use_bias") is not False]
    number = int(variable[len(name) + 1 :] or 0)
    return cells[number] if number < len(cells) else None


def _composite(layer: LayerConfig) -> bool:
    return layer.class_name in RECURRENT or layer.class_name.endswith("Attention")
