"""The variables that a Keras file stores, each with its layer, in; the list with roles, flags and
unique names out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gradflow.files.keras.config import LayerConfig, frozen
from gradflow.files.keras.layer_table import is_lora_base, role_of
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Role


@dataclass(frozen=True, slots=True)
class Owned:
    """One stored variable and the layer whose flag it follows."""

    owner: LayerConfig
    variable: str
    """Its name within the layer: ``kernel``, ``gamma``, ..., or a number."""
    path: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def described(self) -> LayerConfig:
        """The innermost layer around it that stands in the configuration, not in its owner's
        code."""
        layer = self.owner
        while layer.parent is not None and not any(
            layer in inside for inside in layer.parent.parts.values()
        ):
            layer = layer.parent
        return layer


def describe(owned: Sequence[Owned]) -> tuple[StoredVariable, ...]:
    """Add role and freeze flag, and tell equal names apart: by the layers around them, else by
    ``#2``, ``#3``, ..."""
    names = _unique(owned)
    layers = _layer_paths(owned, names)
    return tuple(
        _describe(one, name, layer) for one, name, layer in zip(owned, names, layers, strict=True)
    )


def _describe(one: Owned, name: str, layer: str) -> StoredVariable:
    role = role_of(one.owner.class_name, one.variable, one.dtype)
    covered, by = frozen(one.owner)
    still = covered or is_lora_base(one.owner.options, one.variable)
    return StoredVariable(
        name,
        layer,
        one.shape,
        one.dtype,
        role,
        trainable=role is Role.WEIGHT and not still,
        frozen_by=None if by is None or role is Role.STATE else by.path,
        layer_path=f"{one.owner.place}/{one.variable}",
    )


def _unique(owned: Sequence[Owned]) -> list[str]:
    paths = Counter(one.path for one in owned)
    names = [
        one.path if paths[one.path] == 1 else f"{one.owner.place}/{one.variable}" for one in owned
    ]
    seen: Counter[str] = Counter()
    taken = set(names)
    for index, name in enumerate(names):
        seen[name] += 1
        number = seen[name]
        while number > 1 and names[index] in taken:
            names[index] = f"{name}#{number}"
            number += 1
        taken.add(names[index])
    return names


def _layer_paths(owned: Sequence[Owned], names: Sequence[str]) -> list[str]:
    return [
        name.rpartition("/")[0] or one.owner.path for one, name in zip(owned, names, strict=True)
    ]
