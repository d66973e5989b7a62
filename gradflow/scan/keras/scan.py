"""A Keras file in, the classes, functions, members and links in it that are not known to be
harmless out."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gradflow.errors import UnreadableError
from gradflow.files.hdf5 import opened, text_attribute
from gradflow.files.keras.archive import weights_member, zip_errors
from gradflow.files.keras.code import objects
from gradflow.files.keras.config import DAMAGED, parse_json
from gradflow.files.model_file import ModelFile
from gradflow.findings import Format
from gradflow.scan.keras.archive import strange_members
from gradflow.scan.keras.arrays import PackedLook
from gradflow.scan.keras.config import strange_objects
from gradflow.scan.keras.hdf5 import HDF5Look
from gradflow.scan.keras.sizes import oversized
from gradflow.scan.threat import Scanned, Threat
from gradflow.text import shown

_MEMBER, _WEIGHTS = "config.json", "model.weights.h5"
_CONFIG, _TRAINING, _COMPILED = "model_config", "training_config", "compile_config"


def scan_keras(file: ModelFile, imports: Sequence[str], is_trained: bool = False) -> Scanned:
    """Look through the archive, the configuration and the weights of a Keras file.

    Args:
        file: the model.
        imports: the modules that the user lets in for it.
        is_trained: whether what it was compiled with counts too, which is not read with the model
            itself.

    Raises:
        UnreadableError: it is damaged.
    """
    where = shown(file.path)
    found = _archive(file, where) if file.format is Format.KERAS else _hdf5(file, where)
    threats = list(found.threats)
    for member, config in found.configs:
        if is_trained or member not in (_TRAINING, _COMPILED):
            threats += strange_objects(config, member, imports)
            threats += oversized(config, member, found.numbers)
    count = sum("class_name" in one for one in objects([config for _, config in found.configs]))
    looked_at = (*found.looked_at, f"{count:,} classes and functions")
    return Scanned(tuple(dict.fromkeys(threats)), looked_at)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What stands in a file: that which is odd about it, its configurations by their names, its
    numbers."""

    threats: list[Threat]
    configs: list[tuple[str, Any]]
    numbers: int
    looked_at: tuple[str, ...]


def _archive(file: ModelFile, where: str) -> _Opened:
    with zip_errors(where), zipfile.ZipFile(file.path) as archive, file.path.open("rb") as raw:
        looked_at = (f"{len(archive.infolist()):,} members",)
        threats = list(strange_members(archive, raw))
        if threats:  # what is odd about the archive makes it unsafe to read on
            return _Opened(threats, [], 0, looked_at)
        config = parse_json(archive.read(_MEMBER), where)
        names, numbers = archive.namelist(), 0
        if _WEIGHTS in names:
            with (
                weights_member(file.path, archive, where) as source,
                opened(source, f"{where}: {_WEIGHTS}") as hdf5,
            ):
                look = HDF5Look(_WEIGHTS)
                threats += look.strange(hdf5)
                numbers += look.numbers
        for name in names:
            if name.endswith(".npz") and not name.startswith("assets/"):
                arrays = PackedLook(name)
                with archive.open(name) as member:
                    threats += arrays.strange(member)
                numbers += arrays.numbers
        compiled = config.pop(_COMPILED, None) if isinstance(config, dict) else None
        return _Opened(threats, [(_MEMBER, config), (_COMPILED, compiled)], numbers, looked_at)


def _hdf5(file: ModelFile, where: str) -> _Opened:
    look = HDF5Look("the file")
    with opened(file.path, where) as hdf5:
        threats = list(look.strange(hdf5))
        names = [name for name in (_CONFIG, _TRAINING) if name in hdf5.attrs] if not threats else []
        texts = [(name, text_attribute(hdf5, name)) for name in names]
    if (_CONFIG, None) in texts:
        raise UnreadableError(f"{where}: the model configuration is no text", DAMAGED)
    configs = [(name, parse_json(text, where)) for name, text in texts if text is not None]
    return _Opened(threats, configs, look.numbers, ("the links, types and filters of its HDF5",))
