"""A Keras file in, the classes, functions, members and links in it that are not known to be harmless out."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from gradflow.errors import UnreadableError
from gradflow.files.contents import ModelFile
from gradflow.files.hdf5 import opened, text_attribute
from gradflow.files.keras_zip import weights_member, zip_errors
from gradflow.files.wording import shown
from gradflow.findings import Format
from gradflow.scan.archive import strange_members
from gradflow.scan.hdf5 import strange_hdf5
from gradflow.scan.keras_config import strange_objects
from gradflow.scan.threat import Scanned, Threat

_CONFIG = "model_config"
_DAMAGED = "the file is damaged; save the model again"


def scan_keras(file: ModelFile, imports: Sequence[str]) -> Scanned:
    """Look through the archive, the configuration and the weights of a Keras file.

    Raises:
        UnreadableError: it is damaged.
    """
    where = shown(file.path)
    threats: list[Threat] = []
    if file.format is Format.KERAS:
        with zip_errors(where), zipfile.ZipFile(file.path) as archive, file.path.open("rb") as raw:
            threats += strange_members(archive, raw)
            looked_at = [f"{len(archive.infolist()):,} members"]
            if not threats:  # what is odd about the archive makes it unsafe to read on
                config = _parsed(archive.read("config.json"), where)
                if isinstance(config, dict):
                    config.pop("compile_config", None)  # of the whole model it is never read with the model
                threats += strange_objects(config, "config.json", imports)
                looked_at.append(_counted(config))
                threats += _weights(file, archive, where)
    else:
        with opened(file.path, where) as hdf5:
            threats += strange_hdf5(hdf5, "the file")
            text = text_attribute(hdf5, _CONFIG) if not threats else None
        config = None if text is None else _parsed(text, where)
        threats += strange_objects(config, _CONFIG, imports)
        looked_at = [_counted(config), "the links, types and filters of its HDF5"]
    return Scanned(tuple(dict.fromkeys(threats)), tuple(looked_at))


def _weights(file: ModelFile, archive: zipfile.ZipFile, where: str) -> Iterator[Threat]:
    names = archive.namelist()
    if "model.weights.h5" in names:
        with (
            weights_member(file.path, archive, where) as source,
            opened(source, f"{where}: model.weights.h5") as hdf5,
        ):
            yield from strange_hdf5(hdf5, "model.weights.h5")
    for name in names:
        if name.endswith(".npz"):
            yield from _arrays(archive, name)


def _arrays(archive: zipfile.ZipFile, name: str) -> Iterator[Threat]:
    """The arrays of an ``.npz`` file that are pickled: unpickling runs what it is told."""
    with archive.open(name) as member, zipfile.ZipFile(member) as arrays:
        for info in arrays.infolist():
            with arrays.open(info) as stream:
                head = stream.read(4096)
            if not head.startswith(b"\x93NUMPY") or b"'O'" in head or b"|O" in head:
                yield Threat(f"array {shown(info.filename)!r}", name, "is pickled, which runs any Python code")


def _parsed(text: str | bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise UnreadableError(f"{where}: the model configuration is nested too deeply", _DAMAGED) from None
    except ValueError:
        raise UnreadableError(f"{where}: the model configuration is not valid JSON", _DAMAGED) from None


def _counted(config: Any) -> str:
    """How many classes and functions a configuration names."""
    count, waiting = 0, [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            count += "class_name" in one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return f"{count:,} classes and functions"
