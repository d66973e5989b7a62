"""Find variables by their handles, keep their values, and describe the weights of a step."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Role
from gradflow.tape.load import keras2, keras3
from gradflow.tape.load.keras_layers import KerasVariable
from gradflow.tape.loaded_model import Watched
from gradflow.tape.measure import shared_array, stretches
from gradflow.tape.private_api import BaseResourceVariable, EagerTensor, held_by


@dataclass(frozen=True, slots=True)
class Weight:
    """One variable of the step."""

    stored: StoredVariable
    handles: tuple[int, ...]
    """The numbers of its handles: one for each replica."""
    variable: Any
    is_of_keras: bool
    """Whether a layer says if it is trainable."""
    is_owned: bool
    """Whether it belongs to a model or layer that was called or named."""


@dataclass(slots=True)
class Values:
    """What variables held at one moment, by the number of their handle."""

    held: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    """A handle and the tensor that it held: TensorFlow copies it as soon as somebody writes."""

    def keep(self, handles: Iterable[Any]) -> None:
        """Keep what ``handles`` hold, where they hold anything and were not kept before."""
        for handle in handles:
            if handle._id not in self.held:
                value = _read(handle)
                if value is not None:
                    self.held[handle._id] = (handle, value)

    def restore(self) -> None:
        """Write everything back."""
        for handle, value in self.held.values():
            tf.raw_ops.AssignVariableOp(resource=handle, value=value)

    def moved(self, number: int) -> bool | None:
        """Return whether a variable holds other bits now; None where it was not kept."""
        if number not in self.held:
            return None
        handle, value = self.held[number]
        now = _read(handle)
        return now is None or not _is_same(value, now)


def key_of(variable: Any) -> int | None:
    """Return the number of a variable's handle, of its first replica where there are several;
    None for what is no variable."""
    handles = handles_of(variable)
    return handles[0]._id if handles else None


def handles_of(variable: Any) -> list[Any]:
    """Return the eager handles of a variable of TensorFlow, Keras 3 or tf_keras, one for each
    replica."""
    plain = plain_of(variable)
    replicas = getattr(plain, "_values", None)
    parts = replicas if isinstance(replicas, list | tuple) else [plain]
    handles = [getattr(part, "_handle", None) for part in parts]
    return [handle for handle in handles if isinstance(handle, EagerTensor)]


def plain_of(variable: Any) -> Any:
    """Return the ``tf.Variable`` behind one of Keras."""
    if isinstance(variable, KerasVariable):
        return variable._value
    return getattr(variable, "_variable", variable)  # the latter: AutoCastVariable of tf_keras


def alive() -> list[Any]:
    """Return every ``tf.Variable`` of this process."""
    return [item for item in gc.get_objects() if issubclass(type(item), BaseResourceVariable)]


def weights_of(
    owners: Sequence[Any], others: Iterable[Any], is_used: Callable[[int], bool]
) -> tuple[Weight, ...]:
    """Describe the variables of ``owners``, which are models and layers, and ``others``.

    ``is_used``: whether the step has to do with the variable of a handle.
    """
    weights: dict[int, Weight] = {}
    names: set[str] = set()
    for owner in owners:
        for item in _of_owner(owner):
            is_layer = not isinstance(owner, tf.Module) or hasattr(owner, "trainable")
            _add(weights, names, item.stored, item.variable, is_of_keras=is_layer, is_owned=True)

    @cache
    def keras_variables() -> Mapping[int, Any]:  # a look at all objects: where it is needed
        found = (item for item in gc.get_objects() if issubclass(type(item), KerasVariable))
        return by_number(found)

    for variable in others:
        number = key_of(variable)
        if number is not None and number not in weights and is_used(number):
            owner = keras_variables().get(number)
            record = _plain_record(variable, owner)
            is_of_keras = owner is not None
            _add(weights, names, record, variable, is_of_keras=is_of_keras, is_owned=False)
    return tuple({id(weight): weight for weight in weights.values()}.values())


def _add(
    weights: dict[int, Weight],
    names: set[str],
    stored: StoredVariable,
    variable: Any,
    *,
    is_of_keras: bool,
    is_owned: bool,
) -> None:
    numbers = tuple(handle._id for handle in handles_of(variable))
    if not numbers or numbers[0] in weights:
        return
    name = keras3.unused(stored.name, names)
    names.add(name)
    weight = Weight(
        stored=replace(stored, name=name),
        handles=numbers,
        variable=plain_of(variable),
        is_of_keras=is_of_keras,
        is_owned=is_owned,
    )
    weights.update(dict.fromkeys(numbers, weight))


def _of_owner(owner: Any) -> Iterator[Watched]:
    if isinstance(owner, keras.layers.Layer):
        yield from keras3.watched_in(owner)
    elif keras2.is_keras2_layer(owner):
        yield from keras2.watched_in(owner)
    elif isinstance(owner, tf.Module):
        for variable in owner.variables:
            yield Watched(_plain_record(variable, None), variable)


def _plain_record(variable: Any, owner: Any | None) -> StoredVariable:
    plain = plain_of(variable)
    dtype = plain.dtype.base_dtype.name
    name = str(plain.name.removesuffix(":0") if owner is None else owner.path)
    is_weight = dtype in FLOATING_NAMES
    trainable = bool(plain.trainable if owner is None else owner.trainable)
    return StoredVariable(
        name=name,
        layer=name.rpartition("/")[0] or None,
        shape=tuple(plain.shape),
        dtype=dtype,
        role=Role.WEIGHT if is_weight else Role.STATE,
        trainable=is_weight and trainable,
        frozen_by=None,
        declared_trainable=trainable and not is_weight,
    )


def layer_classes() -> tuple[Any, ...]:
    """Return the base classes of layers of the Kerases that are imported."""
    old = sys.modules.get("tf_keras")
    return (keras.layers.Layer, *([old.layers.Layer] if old is not None else []))


def by_number(variables: Iterable[Any]) -> Mapping[int, Any]:
    """Return variables by the numbers of their handles."""
    return {handle._id: variable for variable in variables for handle in handles_of(variable)}


def _read(handle: Any) -> Any:
    shape, dtype = held_by(handle)
    if shape is None or dtype in (tf.resource, tf.variant):
        return None
    try:
        return tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
    except tf.errors.OpError:  # it holds nothing yet
        return None


def _is_same(before: Any, after: Any) -> bool:
    if before.dtype == tf.string:
        return bool(tf.reduce_all(before == after))
    first, second = shared_array(before), shared_array(after)
    return first.shape == second.shape and all(
        np.array_equal(old.view(np.uint8), new.view(np.uint8))
        for old, new in zip(stretches(first), stretches(second), strict=True)
    )
