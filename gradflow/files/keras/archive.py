"""List the variables of a ``.keras`` archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gradflow.files.hdf5 import contents, dtype_of, shape_of, text_attribute
from gradflow.files.keras.config import LayerConfig, read_config, snake_case
from gradflow.files.keras.keras2_archive import modern
from gradflow.files.keras.layer_table import inner_layer, variable_names
from gradflow.files.keras.opened import hdf5_of, keras_version, model_json, zip_errors
from gradflow.files.keras.variables import Owned
from gradflow.files.model_file import ModelFile
from gradflow.text import shown

_CONTAINER = "layers"
_NOT_LAYERS = ("optimizer", "metrics", "loss")


_Made = dict[tuple[LayerConfig, str], LayerConfig]
"""Layers that stand in no configuration, by the layer around them and their place in it."""
_Numbered = dict[tuple[LayerConfig, str], dict[str, LayerConfig]]
"""The layers of a list by the names of their groups, by the layer that has the list."""


@dataclass(slots=True)
class _Group:
    """The variables that one layer stores: ``<path>/vars/0``, ``<path>/vars/1``, ..."""

    path: tuple[str, ...]
    name: str | None
    """The layer's name, where the Keras that wrote the file recorded it (3.5 and later)."""
    variables: list[tuple[int, tuple[int, ...], str]]


def read_archive(file: ModelFile) -> tuple[LayerConfig, list[Owned], str | None]:
    """Configuration, variables and the version of Keras that wrote the archive.

    Raises:
        UnreadableError: the archive is damaged, or lacks the configuration or the weights.
    """
    shown_path = shown(file.path)
    with zip_errors(shown_path):
        config = read_config(model_json(file), shown_path)
        version = keras_version(file)
        with hdf5_of(file) as hdf5:
            stored = _groups(hdf5)
    owned: list[Owned] = []
    inner_layers: _Made = {}
    numbered: _Numbered = {}
    for group in sorted(stored, key=lambda stored: _order(stored.path)):
        owner = _owner(config, group, inner_layers, numbered)
        if owner is not None:
            owned += _own(owner, group)
    positions = {layer: index for index, layer in enumerate(config.below())}
    owned.sort(key=lambda stored: positions.get(stored.described, len(positions)))
    return config, owned, version


def _own(owner: LayerConfig, group: _Group) -> Iterator[Owned]:
    group.variables.sort()
    names = variable_names(owner, [shape for _, shape, _ in group.variables])
    for name, (_, shape, dtype) in zip(names, group.variables, strict=True):
        if name:
            yield Owned(owner, name, f"{owner.path}/{name}", shape, dtype)


def _owner(
    model: LayerConfig, group: _Group, inner_layers: _Made, numbered: _Numbered
) -> LayerConfig | None:
    """Return the layer at ``group.path``, as keras/src/saving/saving_lib.py (3.15) places it; None
    for an optimizer."""
    layer, rest = model, list(group.path)
    while rest:
        part = rest.pop(0)
        if _is_bookkeeping(layer, part):
            return None
        inside = layer.parts.get(part, ())
        if rest and (part == _CONTAINER or len(inside) > 1):
            key = (layer, part)
            if key not in numbered:
                numbered[key] = _by_number(inside)
            inner = numbered[key].get(rest[0])
            part = rest.pop(0)
        else:
            inner = _attribute(layer, part)
        if inner is None:
            key = (layer, part)
            inner = inner_layers.get(key) or inner_layer(layer, part, None if rest else group.name)
            inner_layers[key] = inner
        layer = inner
    return layer


def _attribute(layer: LayerConfig, part: str) -> LayerConfig | None:
    key = "layer" if part == "forward_layer" else part.removeprefix("_")
    inside = layer.parts.get(key, ())
    return inside[0] if len(inside) == 1 and key != "layers" else None


def _by_number(layers: tuple[LayerConfig, ...]) -> dict[str, LayerConfig]:
    used: dict[str, int] = {}
    by_name = {}
    for layer in layers:
        name = snake_case(layer.class_name)
        count = used.get(name, -1) + 1
        used[name] = count
        by_name[f"{name}_{count}" if count else name] = layer
    return by_name


def _is_bookkeeping(layer: LayerConfig, part: str) -> bool:
    if part in layer.parts:
        return False
    bare = part.strip("_")
    return (
        bare in _NOT_LAYERS
        or bare.startswith("compile_")
        or bare.endswith(("_tracker", "_metric", "_metrics"))
    )


def _groups(file: object) -> list[_Group]:
    by_path: dict[tuple[str, ...], _Group] = {}
    groups, datasets = contents(file)
    rename = modern(path_of_layer for path_of_layer, _ in groups)
    for path, dataset in datasets:
        *path_of_layer, vars_, number = path if len(path) > 1 else ("", "", "")
        if vars_ != "vars" or not number.isdecimal():
            continue
        key = rename(tuple(path_of_layer))
        if key not in by_path:
            by_path[key] = _Group(key, text_attribute(dataset.parent, "name"), [])
        by_path[key].variables.append((int(number), shape_of(dataset), dtype_of(dataset)))
    return list(by_path.values())


def _order(path: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    def key(part: str) -> tuple[str, int]:
        head, _, tail = part.rpartition("_")
        return (head, int(tail)) if head and tail.isdecimal() else (part, 0)

    return tuple(key(part) for part in path)
