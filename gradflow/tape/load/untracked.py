"""Find the variables that a tape saw and no layer tracks, and describe each."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Role
from gradflow.tape.load.keras_layers import KerasVariable, layer_path
from gradflow.tape.loaded_model import CallableModel, Watched


def with_untracked(model: CallableModel, read: Iterable[Any]) -> tuple[Watched, ...]:
    """Return the variables of ``model``, and those of ``read`` that no layer tracks.

    ``read``: the trainable ``tf.Variable``s that a call has read.
    """
    tracked = {id(item.variable) for item in model.watched}
    untracked = sorted(
        (variable for variable in read if id(variable) not in tracked),
        key=lambda variable: str(variable.name),
    )
    if not untracked or not model.finds_untracked:
        return model.watched
    names = {item.stored.name for item in model.watched}
    more: list[Watched] = []
    for variable, stored in zip(untracked, model.describe(untracked), strict=True):
        if stored is not None:
            name = _unique(stored, names)
            names.add(name)
            more.append(Watched(replace(stored, name=name), variable))
    return (*model.watched, *more)


def describe_untracked(
    variables: Sequence[Any], holder: Callable[[Any], str | None]
) -> list[StoredVariable | None]:
    """Records of untracked variables; ``holder`` returns the layer that has one as a plain
    attribute."""
    owners = _keras_variables()
    return [_describe(variable, owners.get(id(variable)), holder) for variable in variables]


def holding_layer(model: Any, variable: Any) -> str | None:
    """Return the layer of a Keras model that has ``variable`` as an attribute, also in a list or
    dict."""
    for layer in model._flatten_layers():
        if any(leaf is variable for value in vars(layer).values() for leaf in _flat(value)):
            return layer_path(layer)
    return None


def _describe(
    variable: Any, owner: Any | None, holder: Callable[[Any], str | None]
) -> StoredVariable | None:
    dtype = variable.dtype.name
    # A frozen Keras variable is frozen although its tf.Variable says trainable=True: a teacher in a
    # closure.
    if dtype not in FLOATING_NAMES or (owner is not None and not owner.trainable):
        return None
    name = str(owner.path if owner is not None else variable.name.removesuffix(":0"))
    return StoredVariable(
        name=name,
        layer=name.rpartition("/")[0] or holder(variable),
        shape=tuple(variable.shape),
        dtype=dtype,
        role=Role.WEIGHT,
        trainable=False,
        frozen_by=None,
        untracked=True,
    )


def _flat(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return [leaf for inner in value.values() for leaf in _flat(inner)]
    if isinstance(value, (list, tuple)):
        return [leaf for inner in value for leaf in _flat(inner)]
    return [value]


def _keras_variables() -> dict[int, Any]:
    """Return every Keras variable by the id of its ``tf.Variable``, which does not know it; asked
    in the rare case only."""
    variables = [item for item in gc.get_objects() if issubclass(type(item), KerasVariable)]
    return {id(getattr(variable, "_value", None)): variable for variable in variables}


def _unique(stored: StoredVariable, names: set[str]) -> str:
    name = stored.name
    if name in names and stored.layer is not None and not name.startswith(f"{stored.layer}/"):
        name = f"{stored.name}@{stored.layer}"
    number = 2
    while name in names:
        name, number = f"{stored.name}#{number}", number + 1
    return name
