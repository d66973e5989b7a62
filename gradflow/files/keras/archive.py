"""A ``.keras`` archive in, the variables of its model out."""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gradflow.errors import DamagedError, UnreadableError
from gradflow.files.hdf5 import contents, dtype_of, opened, shape_of, text_attribute
from gradflow.files.keras.config import LayerConfig, parse_config, snake_case
from gradflow.files.keras.keras2_archive import modern
from gradflow.files.keras.layer_table import inner_layer, variable_names
from gradflow.files.keras.variables import Owned
from gradflow.text import shown

_CONTAINER = "layers"
_NOT_LAYERS = ("optimizer", "metrics", "loss")
_MAX_JSON = 1 << 28
_MAX_DEFLATED = 1 << 32
_CHUNK = 1 << 20
_CHECKSUM = re.compile(r"Bad CRC-32 for file '(.*)'", re.DOTALL)
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
)


@dataclass(slots=True)
class _Group:
    """The variables that one layer stores: ``<path>/vars/0``, ``<path>/vars/1``, ..."""

    path: tuple[str, ...]
    name: str | None
    """The layer's name, where the Keras that wrote the file recorded it (3.5 and later)."""
    variables: list[tuple[int, tuple[int, ...], str]]


def read_archive(path: Path, where: str) -> tuple[LayerConfig, list[Owned], str | None]:
    """Configuration, variables and the version of Keras that wrote the archive.

    Raises:
        UnreadableError: the archive is damaged, or lacks the configuration or the weights.
    """
    with zip_errors(where), zipfile.ZipFile(path) as archive:
        config = parse_config(_read_json(archive, "config.json", where), where)
        version = _version(archive, where)
        with (
            weights_member(path, archive, where) as source,
            opened(source, f"{where}: model.weights.h5") as file,
        ):
            stored = _groups(file)
    owned: list[Owned] = []
    made: dict[tuple[LayerConfig, str], LayerConfig] = {}
    for group in sorted(stored, key=lambda one: _order(one.path)):
        owner = _owner(config, group, made)
        if owner is not None:
            owned += _own(owner, group)
    places = {layer: index for index, layer in enumerate(config.below())}
    owned.sort(key=lambda one: places.get(one.described, len(places)))
    return config, owned, version


def _own(owner: LayerConfig, group: _Group) -> Iterator[Owned]:
    group.variables.sort()
    names = variable_names(owner, [shape for _, shape, _ in group.variables])
    for name, (_, shape, dtype) in zip(names, group.variables, strict=True):
        if name:
            yield Owned(owner, name, f"{owner.path}/{name}", shape, dtype)


def _owner(
    model: LayerConfig, group: _Group, made: dict[tuple[LayerConfig, str], LayerConfig]
) -> LayerConfig | None:
    """The layer at ``group.path``, as keras/src/saving/saving_lib.py (3.15) places it; None for an
    optimizer."""
    layer, rest = model, list(group.path)
    while rest:
        part = rest.pop(0)
        if _is_bookkeeping(layer, part):
            return None
        inside = layer.parts.get(part, ())
        if rest and (part == _CONTAINER or len(inside) > 1):
            found = _numbered(inside).get(rest[0])
            part = rest.pop(0)
        else:
            found = _attribute(layer, part)
        if found is None:
            key = (layer, part)
            found = made.get(key) or inner_layer(layer, part, None if rest else group.name)
            made[key] = found
        layer = found
    return layer


def _attribute(layer: LayerConfig, part: str) -> LayerConfig | None:
    key = "layer" if part == "forward_layer" else part.removeprefix("_")
    inside = layer.parts.get(key, ())
    return inside[0] if len(inside) == 1 and key != "layers" else None


def _numbered(layers: tuple[LayerConfig, ...]) -> dict[str, LayerConfig]:
    used: dict[str, int] = {}
    found = {}
    for layer in layers:
        name = snake_case(layer.class_name)
        count = used.get(name, -1) + 1
        used[name] = count
        found[f"{name}_{count}" if count else name] = layer
    return found


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
    found: dict[tuple[str, ...], _Group] = {}
    groups, datasets = contents(file)
    rename = modern(place for place, _ in groups)
    for path, dataset in datasets:
        *place, vars_, number = path if len(path) > 1 else ("", "", "")
        if vars_ != "vars" or not number.isdecimal():
            continue
        key = rename(tuple(place))
        if key not in found:
            found[key] = _Group(key, text_attribute(dataset.parent, "name"), [])
        found[key].variables.append((int(number), shape_of(dataset), dtype_of(dataset)))
    return list(found.values())


def _order(path: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    def key(part: str) -> tuple[str, int]:
        head, _, tail = part.rpartition("_")
        return (head, int(tail)) if head and tail.isdecimal() else (part, 0)

    return tuple(key(part) for part in path)


def _version(archive: zipfile.ZipFile, where: str) -> str | None:
    if "metadata.json" not in archive.namelist():
        return None
    try:
        metadata = json.loads(_read_json(archive, "metadata.json", where))
    except (ValueError, RecursionError):
        return None
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else None


def _read_json(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    if archive.getinfo(name).file_size > _MAX_JSON:
        raise UnreadableError(
            f"{where}: {name} is larger than {_MAX_JSON >> 20} MB", "this is no Keras configuration"
        )
    return archive.read(name)


@contextmanager
def weights_member(path: Path, archive: zipfile.ZipFile, where: str) -> Iterator[IO[bytes]]:
    """The HDF5 file with the weights, as a file that can be read at any place.

    Raises:
        UnreadableError: there is none.
    """
    names = archive.namelist()
    if "model.weights.h5" not in names:
        other = next((name for name in names if name.startswith("model.weights")), None)
        hint = "save the model again with model.save(...)"
        if other is None:
            raise DamagedError(f"{where}: this .keras file holds no weights", hint)
        # Keras reads weights of other kinds.
        raise UnreadableError(
            f"{where}: this .keras file keeps its weights in {shown(other)}, unread here", hint
        )
    info = archive.getinfo("model.weights.h5")
    if info.compress_type != zipfile.ZIP_STORED:
        if info.file_size > _MAX_DEFLATED:
            raise UnreadableError(
                f"{where}: model.weights.h5 unpacks to {info.file_size >> 30} GB", "save it again"
            )
        # HDF5 jumps about, and a compressed member can only be read from its start: it is unpacked,
        # not into memory.
        with tempfile.TemporaryFile() as unpacked, archive.open(info) as packed:
            shutil.copyfileobj(packed, unpacked, _CHUNK)
            yield unpacked
        return
    with archive.open(info) as checked, path.open("rb") as raw:
        checked.read(0)  # opening has checked the member's own header
        raw.seek(info.header_offset + 26)
        lengths = raw.read(4)
        start = (
            info.header_offset
            + 30
            + int.from_bytes(lengths[:2], "little")
            + int.from_bytes(lengths[2:], "little")
        )
        yield io.BufferedReader(_Window(raw, start, info.file_size))


class _Window(io.RawIOBase):
    """A stretch of a file as a file: HDF5 jumps about, which zipfile answers by reading everything
    in between."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # Python 3.10 cannot name Buffer
        self._file.seek(self._start + self._at)
        data = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@contextmanager
def zip_errors(where: str) -> Iterator[None]:
    """Turn whatever is said about a damaged archive into one line."""
    try:
        yield
    except KeyError as error:
        raise DamagedError(
            f"{where}: this .keras file lacks {error.args[0]}", "save the model again"
        ) from error
    except _BROKEN as error:
        damaged = _CHECKSUM.search(str(error))
        what = (
            f"a damaged .keras file ({shown(damaged[1])} is not what its checksum says)"
            if damaged
            else None
        )
        message = f"{where}: {what or 'a damaged .keras file'}"
        raise DamagedError(message, "copy or download it again, or save the model again") from error
