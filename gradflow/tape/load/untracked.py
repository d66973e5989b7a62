"""The variables that a tape saw in, those that no layer tracks out, each with its record."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Role
from gradflow.tape.load.keras_layers import layer_path
from gradflow.tape.loaded_model import Subject, Watched


def with_untracked(subject: Subject, seen: Iterable[Any]) -> Subject:
    """Return ``subject`` watching also what of ``seen`` no layer tracks; ``seen`` are trainable
    ``tf.Variable``s."""
    known = {id(item.variable) for item in subject.watched}
    unknown = sorted((one for one in seen if id(one) not in known), key=lambda one: str(one.name))
    if not unknown or subject.describe is None:
        return subject
    taken = {item.stored.name for item in subject.watched}
    found: list[Watched] = []
    for variable, stored in zip(unknown, subject.describe(unknown), strict=True):
        if stored is not None:
            name = _unique(stored, taken)
            taken.add(name)
            found.append(Watched(replace(stored, name=name), variable))
    return replace(subject, watched=(*subject.watched, *found)) if found else subject


def describer(
    holder: Callable[[Any], str | None],
) -> Callable[[Sequence[Any]], list[StoredVariable | None]]:
    """Return what describes untracked variables; ``holder`` tells the layer that has one as a plain
    attribute."""

    def describe(variables: Sequence[Any]) -> list[StoredVariable | None]:
        owners = _keras_variables()
        return [_describe(variable, owners.get(id(variable)), holder) for variable in variables]

    return describe


def holding_layer(model: Any, variable: Any) -> str | None:
    """The layer of a Keras model that has ``variable`` as an attribute, also in a list or dict."""
    for layer in model._flatten_layers():
        if any(one is variable for value in vars(layer).values() for one in _flat(value)):
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
        return [one for inner in value.values() for one in _flat(inner)]
    if isinstance(value, (list, tuple)):
        return [one for inner in value for one in _flat(inner)]
    return [value]


def _keras_variables() -> dict[int, Any]:
    """Every Keras variable by the id of its ``tf.Variable``, which does not know it; asked in the
    rare case only."""
    found = [one for one in gc.get_objects() if issubclass(type(one), keras.Variable)]
    return {id(getattr(one, "_value", None)): one for one in found}


def _unique(stored: StoredVariable, taken: set[str]) -> str:
    name = stored.name
    if name in taken and stored.layer is not None and not name.startswith(f"{stored.layer}/"):
        name = f"{stored.name}@{stored.layer}"
    number = 2
    while name in taken:
        name, number = f"{stored.name}#{number}", number + 1
    return name
