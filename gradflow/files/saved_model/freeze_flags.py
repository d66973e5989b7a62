"""Read what the lists and the layers in a SavedModel's object graph say about freezing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.keras.layer_table import is_state_name, is_weight_name
from gradflow.files.model_file import StoredVariable
from gradflow.files.saved_model.schema import DecodeError, parse
from gradflow.findings import Role

OPTIMIZERS = frozenset({"optimizer", "experimentalOptimizer"})
"""Identifiers of objects whose variables are no weights of the model."""

_RECURRENT = "_tf_keras_rnn_layer"
_PARAMETER = "_pretransformed_input"
"""What holds the variable of a parameter (tensorflow_probability, util/deferred_tensor.py)."""
_KERAS_3 = frozenset({"_inbound_nodes", "_outbound_nodes", "_losses"})
"""Attributes of every Keras 3 layer (3.0 to 3.15) that ``tf.saved_model.save`` writes; Keras 2
hides its own."""
Properties = Mapping[str, Any]
"""What Keras 2 recorded of one layer: ``name``, ``trainable``, ``config``, ..."""


def tracked_lists(objects: Any) -> Mapping[int, bool] | None:
    """Return whether the root's lists name a variable as trainable, by object number; None where
    there are no such lists.

    Keras 2 models and Keras 3's ``export`` keep ``variables`` and ``trainable_variables``; the flag
    in a variable's own record stays true when a layer is frozen.
    """
    lists = {child.local_name: objects.nodes[child.node_id] for child in objects.nodes[0].children}
    if "variables" not in lists or "trainable_variables" not in lists:
        return None
    tracked = {child.node_id: False for child in lists["variables"].children}
    tracked.update({child.node_id: True for child in lists["trainable_variables"].children})
    return tracked


def layer_properties(objects: Any, folder: Path) -> Mapping[int, Properties]:
    """Return what Keras 2 recorded of its layers, by object number; empty where the file is not of
    Keras 2.

    TensorFlow up to 2.4 keeps a layer's properties in the object itself, later ones in
    ``keras_metadata.pb``.
    """
    return {
        number: layer for number, layer in layers_of_keras(objects, folder) if "trainable" in layer
    }


def freezers(objects: Any, properties: Mapping[int, Properties]) -> Mapping[int, str]:
    """Return the outermost layer with ``trainable=False`` above each variable, by object number,
    where Keras 2 recorded it."""
    frozen_by: dict[int, str] = {}
    for number in paths_below(objects) if properties else ():
        layer = properties.get(number)
        if (
            number in frozen_by or layer is None
        ):  # what a frozen layer holds is settled by that layer
            continue
        if layer.get("trainable") is False and isinstance(layer.get("name"), str):
            for inner in paths_below(objects, number):
                frozen_by.setdefault(inner, layer["name"])
    return frozen_by


def frozen_by_record(
    objects: Any,
    variables: Mapping[int, StoredVariable],
    tracked: Mapping[int, bool] | None,
    paths: Mapping[int, Sequence[str]],
    properties: Mapping[int, Properties],
) -> frozenset[int]:
    """The variables whose own records call them non-trainable, and which are weights all the same.

    A layer of Keras 3 that is frozen before it is built makes its weights like state (3.15); the
    name tells which they are. A parameter of GPflow or TensorFlow Probability is one whether it is
    trained or not. Where nothing in a file is trainable, as in an export of JAX for inference, and
    some variable is a matrix, the exporter has frozen it all.
    """
    recorded = {
        number
        for number, variable in variables.items()
        if variable.role is Role.STATE
        and variable.dtype in FLOATING_NAMES
        and not objects.nodes[number].variable.trainable
    }
    by_name = {
        number for number in recorded if is_weight_name(variables[number].name.rpartition("/")[2])
    }
    parameters = {number for number in recorded if _PARAMETER in paths.get(number, ())}
    is_keras3 = not properties and (tracked is not None or has_keras_3_layers(objects))
    if is_keras3 or parameters:
        return frozenset(parameters | (by_name if is_keras3 else set()))
    if properties or any(variable.role is Role.WEIGHT for variable in variables.values()):
        return frozenset()
    whole = {
        number
        for number in recorded
        if not is_state_name(variables[number].name.rpartition("/")[2])
    }
    return frozenset(whole if any(map(_is_matrix, map(variables.__getitem__, whole))) else ())


_EXPORTED = frozenset({"_all_variables", "_endpoint_names", "keras_api"})
"""What an ``ExportArchive`` of Keras 3 has, and the layers of Keras 2."""


def has_keras_3_layers(objects: Any) -> bool:
    """Whether ``tf.saved_model.save`` wrote layers of Keras 3, which have their attributes."""
    return any({child.local_name for child in node.children} >= _KERAS_3 for node in objects.nodes)


def is_of_keras(objects: Any) -> bool:
    """Return whether the object graph is that of a Keras model: of ``model.save`` of Keras 2,
    ``model.export`` or ``tf.saved_model.save`` of Keras 3.

    One that some other object holds makes only its own scopes layers, and not those around it.
    """
    root = objects.nodes[0]
    return (
        root.user_object.identifier.startswith("_tf_keras")
        or any(child.local_name in _EXPORTED for child in root.children)
        or has_keras_3_layers(objects)
    )


def _is_matrix(variable: StoredVariable) -> bool:
    return sum(size is None or size > 1 for size in variable.shape) > 1


def recurrent_states(objects: Any) -> frozenset[int]:
    """Return the variables in which stateful recurrent layers of Keras 2 keep what they have read.

    They are made as trainable variables, and the layer's own lists leave them out; what Keras 2
    saves of a layer for itself holds them as ``states`` (tf_keras 2.21,
    saving/legacy/saved_model/layer_serialization.py).
    """
    states: set[int] = set()
    for node in objects.nodes:
        if node.user_object.identifier != _RECURRENT:
            continue
        own = [child.node_id for child in node.children if child.local_name == "keras_api"]
        holders = [node, *(objects.nodes[number] for number in own)]
        states.update(
            inner
            for holder in holders
            for child in holder.children
            if child.local_name == "states"
            for inner in paths_below(objects, child.node_id)
        )
    return frozenset(states)


def paths_below(objects: Any, start: int = 0) -> dict[int, tuple[str, ...]]:
    """Return the shortest way from ``start`` to each object that it holds, itself included and
    optimizers left out.

    Breadth first, so that outer objects come before inner ones.
    """
    paths: dict[int, tuple[str, ...]] = {start: ()}
    queue = [start]
    for number in queue:
        for child in objects.nodes[number].children:
            target = child.node_id
            if target in paths or not 0 <= target < len(objects.nodes):
                continue
            if objects.nodes[target].user_object.identifier in OPTIMIZERS:
                continue
            paths[target] = (*paths[number], child.local_name)
            queue.append(target)
    return paths


def layers_of_keras(objects: Any, folder: Path) -> Iterator[tuple[int, Properties]]:
    """Yield what Keras 2 wrote of each of its layers and models, by the number of its object."""
    texts = {number: node.user_object.metadata for number, node in enumerate(objects.nodes)}
    path = folder / "keras_metadata.pb"
    try:
        if path.is_file():  # a pipe would be waited for
            saved = parse("SavedMetadata", path.read_bytes())
            texts.update({node.node_id: node.metadata for node in saved.nodes})
    except (OSError, DecodeError):  # TensorFlow does not need it, so neither do we
        pass
    for number, text in texts.items():
        if not text:
            continue
        try:
            properties = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(properties, dict):
            yield number, properties
