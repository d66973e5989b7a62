"""Give the variables of a Keras file their roles, freeze flags and unique names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gradflow.files.keras.config import LayerConfig, frozen
from gradflow.files.keras.layer_table import (
    is_kerass_own,
    is_lora_base,
    modern_path,
    role_of,
)
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Role
from gradflow.lazy_dataclass import dataclass


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

    @property
    def path_below(self) -> str:
        """Its path below ``described`` as Keras 3 has it: ``kernel``, ``lstm_cell/kernel``."""
        made = self.owner.lineage()[len(self.described.lineage()) :]
        path = "/".join([*(layer.name for layer in made), self.variable])
        return modern_path(self.described, path)


def describe(owned: Sequence[Owned], *, is_keras2: bool = False) -> tuple[StoredVariable, ...]:
    """Add role and freeze flag, and tell equal names apart: by the layers around them, else by
    ``#2``, ``#3``, ...

    ``is_keras2``: whether flags count as Keras 2 reads them.
    """
    names = _unique(owned)
    layers = _layer_paths(owned, names)
    return tuple(
        _describe(stored, name, layer, is_keras2=is_keras2)
        for stored, name, layer in zip(owned, names, layers, strict=True)
    )


def _describe(stored: Owned, name: str, layer: str, *, is_keras2: bool) -> StoredVariable:
    modern_name = modern_path(stored.owner, stored.variable).rpartition("/")[2]
    role = role_of(stored.owner.class_name, modern_name, stored.dtype)
    is_open = role is Role.WEIGHT and not all(map(is_kerass_own, stored.owner.lineage()))
    covered, freezer = frozen(stored.owner, is_keras2=is_keras2)
    still = covered or is_lora_base(stored.owner.options, stored.variable)
    return StoredVariable(
        name,
        layer,
        stored.shape,
        stored.dtype,
        role,
        trainable=role is Role.WEIGHT and (is_open or not still),
        frozen_by=None if freezer is None or role is Role.STATE or is_open else freezer.path,
        has_open_flag=is_open,
        layer_path=f"{stored.owner.nested_name}/{stored.variable}",
    )


def _unique(owned: Sequence[Owned]) -> list[str]:
    paths = Counter(stored.path for stored in owned)
    names = [
        stored.path if paths[stored.path] == 1 else f"{stored.owner.nested_name}/{stored.variable}"
        for stored in owned
    ]
    counts: Counter[str] = Counter()
    used = set(names)
    for index, name in enumerate(names):
        counts[name] += 1
        number = counts[name]
        while number > 1 and names[index] in used:
            names[index] = f"{name}#{number}"
            number += 1
        used.add(names[index])
    return names


def _layer_paths(owned: Sequence[Owned], names: Sequence[str]) -> list[str]:
    return [
        name.rpartition("/")[0] or stored.owner.path
        for stored, name in zip(owned, names, strict=True)
    ]
