"""Tell the class of each layer of a Keras file, and what holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from gradflow.files.keras.config import LayerConfig
from gradflow.files.model_layer import ModelLayer

_OPERATIONS = ("keras.src.ops", "keras.ops")


def layer_names(model: LayerConfig) -> Mapping[LayerConfig, str]:
    """Return a name for ``model`` and each layer inside it: its path, where no other has the
    same."""
    repeated = Counter(layer.path for layer in model.below())
    return {
        layer: layer.path if repeated[layer.path] == 1 else layer.nested_name
        for layer in model.below()
    }


def model_layers(model: LayerConfig) -> Mapping[str, ModelLayer]:
    """Return what the configuration says of the layers inside ``model``, by ``layer_names``."""
    names = layer_names(model)
    layers = {}
    for layer, name in names.items():
        parent = layer.parent
        if parent is not None:
            holder = None if parent is model else names[parent]
            module = str(layer.described.get("module") or "")
            is_operation = module.startswith(_OPERATIONS)
            layers[name] = ModelLayer(name, layer.class_name, holder, is_operation)
    return layers
