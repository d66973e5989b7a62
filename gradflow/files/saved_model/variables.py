"""List the variables of a SavedModel of TensorFlow 2 from its object graph, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradflow.files.dtypes import FLOATING_NAMES, dtype_name
from gradflow.files.model_file import StoredVariable, as_state
from gradflow.files.saved_model.freeze_flags import (
    Properties,
    freezers,
    frozen_by_record,
    is_of_keras,
    paths_below,
    recurrent_states,
    tracked_lists,
)
from gradflow.files.saved_model.variable_uses import layers_of_use
from gradflow.findings import Role

_UNCONSTRAINED = "_pretransformed_input"
"""What a TransformedVariable of TensorFlow Probability holds: it is named after its bijector."""


def object_variables(
    objects: Any, properties: Mapping[int, Properties], functions: Sequence[Any] = ()
) -> Mapping[int, StoredVariable]:
    """Return the variables that are part of the model, each once, by object number.

    Args:
        objects: the file's object graph.
        properties: what Keras 2 recorded of its layers, by object number.
        functions: of the graph, which show where a variable is used. A variable whose equal name
            names another layer, or none, is named after that layer.
    """
    paths = paths_below(objects)
    tracked = tracked_lists(objects)
    frozen = freezers(objects, properties)
    states = recurrent_states(objects)
    by_number: dict[int, StoredVariable] = {}
    captured = {
        node for function in objects.concrete_functions.values() for node in function.bound_inputs
    }
    for number, node in enumerate(objects.nodes):
        if node.HasField("variable") and (number in captured or _is_own(paths.get(number))):
            listed = tracked.get(number) if tracked is not None else None
            stored = _stored(node.variable, paths.get(number, ()), listed, frozen.get(number))
            by_number[number] = (
                stored if tracked is None or number in tracked else _untracked(stored)
            )
            if number in states:
                by_number[number] = as_state(by_number[number])
    for number in frozen_by_record(objects, by_number, tracked, paths, properties):
        by_number[number] = replace(by_number[number], role=Role.WEIGHT)
    equal = _equally_named(by_number)
    layers = layers_of_use(objects, functions, equal) if equal and is_of_keras(objects) else {}
    for number, layer in layers.items():
        holder, _, leaf = equal[number].rpartition("/")
        if holder.rpartition("/")[2] != layer.rpartition("/")[2]:
            by_number[number] = replace(by_number[number], name=f"{layer}/{leaf}", layer=layer)
    for number, name in _equally_named(by_number).items():
        suffix = ".".join(paths.get(number, (str(number),)))
        by_number[number] = replace(by_number[number], name=f"{name}@{suffix}")
    return by_number


def _equally_named(variables: Mapping[int, StoredVariable]) -> Mapping[int, str]:
    """Return the names that more than one variable has, by object number."""
    counts = Counter(variable.name for variable in variables.values())
    return {
        number: variable.name for number, variable in variables.items() if counts[variable.name] > 1
    }


def _is_own(path: tuple[str, ...] | None) -> bool:
    """Return whether it is no copy that Keras 3's ExportArchive keeps, and belongs to no
    optimizer."""
    return path is not None and "_all_variables" not in path


def _stored(
    variable: Any, path: tuple[str, ...], tracked: bool | None, freezer: str | None
) -> StoredVariable:
    owner = owner_of(path)
    name = variable.name.removesuffix(":0") or "/".join(path) or "variable"
    if owner != path and owner:
        name = f"{name}@{'.'.join(owner)}"
    dtype = dtype_name(variable.dtype)
    is_floating = dtype in FLOATING_NAMES
    role = Role.WEIGHT if variable.trainable and is_floating else Role.STATE
    # Without lists (Keras 2, save_traces=False) the layers' own flags count: there a frozen one
    # freezes all below it.
    trainable = role is Role.WEIGHT and (freezer is None if tracked is None else tracked)
    return StoredVariable(
        name=name,
        layer=name.partition("@")[0].rpartition("/")[0] or None,
        shape=read_shape(variable.shape) or (),
        dtype=dtype,
        role=role,
        trainable=trainable,
        frozen_by=freezer if role is Role.WEIGHT and not trainable else None,
        declared_trainable=variable.trainable and not is_floating and tracked is not False,
        layer_path=path_in_module(name, owner),
    )


def owner_of(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path of what a variable stands for: of one that a bijector made, the parameter
    that holds it."""
    return path[:-1] if path[-1:] == (_UNCONSTRAINED,) else path


def path_in_module(name: str, owner: tuple[str, ...]) -> str:
    """Return the ``layer_path`` of a variable: one of a tf.Module has no scope in its name, and the
    module tells where it belongs."""
    return "" if "/" in name else "/".join(owner)


def _untracked(stored: StoredVariable) -> StoredVariable:
    """A function computes with it, and the lists of the root, which name every variable of its
    layers, do not."""
    if stored.role is Role.STATE:
        return stored
    return replace(stored, trainable=False, frozen_by=None, untracked=True)


def read_shape(shape: Any) -> tuple[int | None, ...] | None:
    """Return a TensorShapeProto's sizes, None for an unknown one; None in all where the rank is
    unknown."""
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else int(dim.size) for dim in shape.dim)
