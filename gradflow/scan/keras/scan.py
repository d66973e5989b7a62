"""Find the classes, functions, members and links of a Keras file that are not known to be
harmless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow.errors import SAVE_AGAIN, UnreadableError
from gradflow.files.keras.code import objects
from gradflow.files.keras.config import parse_json
from gradflow.files.keras.opened import (
    CONFIG,
    TRAINING,
    WEIGHTS,
    archive_of,
    bytes_of,
    hdf5_of,
    hdf5_texts,
    model_json,
    other_hdf5,
    zip_errors,
)
from gradflow.files.model_file import ModelFile
from gradflow.findings import Format
from gradflow.lazy_dataclass import dataclass
from gradflow.scan.keras.archive import strange_members
from gradflow.scan.keras.arrays import PackedLook
from gradflow.scan.keras.config import strange_objects
from gradflow.scan.keras.hdf5 import HDF5Look
from gradflow.scan.keras.sizes import oversized
from gradflow.scan.threat import Scanned, Threat
from gradflow.text import shown

_MEMBER, _COMPILED = "config.json", "compile_config"


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
    content = _archive(file) if file.format is Format.KERAS else _hdf5(file)
    threats = list(content.threats)
    for member, config in content.configs:
        if is_trained or member not in (TRAINING, _COMPILED):
            threats += strange_objects(config, member, imports)
            threats += oversized(config, member, content.numbers)
    count = sum("class_name" in item for item in objects([config for _, config in content.configs]))
    looked_at = (*content.looked_at, f"{count:,} classes and functions")
    return Scanned(tuple(dict.fromkeys(threats)), looked_at)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What stands in a file: that which is odd about it, its configurations by their names, its
    numbers."""

    threats: list[Threat]
    configs: list[tuple[str, Any]]
    numbers: int
    looked_at: tuple[str, ...]


def _archive(file: ModelFile) -> _Opened:
    with zip_errors(shown(file.path)):
        archive = archive_of(file)
        looked_at = (f"{len(archive.infolist()):,} members",)
        threats = list(strange_members(archive, bytes_of(file)))
        if threats:  # what is odd about the archive makes it unsafe to read on
            return _Opened(threats, [], 0, looked_at)
        config = model_json(file)
        names, numbers = archive.namelist(), 0
        if WEIGHTS in names:
            with hdf5_of(file) as hdf5:
                look = HDF5Look(WEIGHTS)
                threats += look.strange(hdf5)
                numbers += look.numbers
        for name in names:
            if name.startswith("assets/"):
                continue
            if name.endswith(".h5") and name != WEIGHTS:
                look = HDF5Look(shown(name))
                with other_hdf5(file, name) as hdf5:
                    threats += look.strange(hdf5)
                numbers += look.numbers
            if name.endswith(".npz"):
                arrays = PackedLook(name)
                with archive.open(name) as member:
                    threats += arrays.strange(member)
                numbers += arrays.numbers
    compiled = None
    if isinstance(config, dict):
        compiled = config.get(_COMPILED)
        config = {key: value for key, value in config.items() if key != _COMPILED}
    return _Opened(threats, [(_MEMBER, config), (_COMPILED, compiled)], numbers, looked_at)


def _hdf5(file: ModelFile) -> _Opened:
    shown_path, look = shown(file.path), HDF5Look("the file")
    with hdf5_of(file) as hdf5:
        threats = list(look.strange(hdf5))
    texts = hdf5_texts(file) if not threats else {}
    if CONFIG in texts and texts[CONFIG] is None:
        raise UnreadableError(f"{shown_path}: the model configuration is no text", SAVE_AGAIN)
    configs = [
        (name, parse_json(text, shown_path)) for name, text in texts.items() if text is not None
    ]
    return _Opened(threats, configs, look.numbers, ("the links, types and filters of its HDF5",))
