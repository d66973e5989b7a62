"""Find the rows of the layer table for a layer, by the class that its configuration names."""

from __future__ import annotations

from collections.abc import Mapping

from gradflow.files.keras.config import LayerConfig
from gradflow.files.keras.older_layers import modern_class, modern_options
from gradflow.ops.layer_rows import has_rows

_PACKAGES = frozenset({"keras", "tf_keras", "tensorflow", "keras_core", "builtins"})
_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda")
_OPERATIONS = (".ops.", "keras.ops")


def layer_key(layer: LayerConfig) -> str | None:
    """Return the key of a layer in the layer table; None where its class is not Keras's own.

    A file that names no module is believed.
    """
    if layer.module is not None and layer.module not in _PACKAGES:
        return None
    name = modern_class(layer.class_name, layer.options)
    if name in _FUNCTIONS:
        return f"tf.{layer.options.get('function')}"
    module = layer.described.get("module")
    if isinstance(module, str):
        is_operation = _OPERATIONS[0] in module or module.startswith(_OPERATIONS[1])
        return f"ops.{name}" if is_operation else name
    # Ten operations are called as layers are (Add, Reshape): each layer of Keras 2 and 3 has the
    # key. What Keras 1 calls otherwise (Merge) is no operation.
    is_layer = "trainable" in layer.options or not has_rows(f"ops.{name}")
    return name if is_layer or name != layer.class_name else f"ops.{name}"


def layer_options(layer: LayerConfig) -> Mapping[str, object]:
    """Return the configuration of a layer with the keys that the layer table knows."""
    return modern_options(layer.class_name, layer.options)
