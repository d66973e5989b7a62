"""The index of a SavedModel's variables in, entries that would end TensorFlow's process out.

Source: tensorflow/core/lib/io/{format,block}.cc for the table, tensorflow/core/protobuf/tensor_bundle.proto and
tensorflow/core/util/tensor_bundle/tensor_bundle.cc for its entries, 2.21. TensorFlow checks its own invariants with
CHECK, which aborts, when it reads an entry that it would never have written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from gradflow.errors import UnreadableError
from gradflow.files.proto import message
from gradflow.files.wording import shown
from gradflow.scan.snappy import unpacked
from gradflow.scan.threat import Threat

_INDEX = "variables/variables.index"
_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_FOOTER, _TRAILER = 48, 5
_PLAIN, _SNAPPY = 0, 1
"""The types of a block: as it is, and compressed, as early TensorFlow wrote it."""
_KINDS = frozenset(range(1, 34)) - {20}
"""DataTypes of tensorflow/core/framework/types.proto that a checkpoint can hold: no handles."""
_MOST_BYTES = (1 << 63) - 1
_WIDEST = 16
"""Bytes of one entry, complex128."""
_AGAIN = "copy or download the model again, or save it again; --static reads the graph alone"


def damaged_variables(folder: Path) -> list[Threat]:
    """The entries of ``variables/variables.index`` that no TensorFlow has written; none where there is no such file.

    Raises:
        UnreadableError: it is no such index, or cut short.
    """
    place = folder / _INDEX
    if not place.is_file():
        return []
    data = place.read_bytes()
    try:
        return [threat for key, value in _entries(data) for threat in _threats(key, value)]
    except (ValueError, IndexError) as error:
        raise UnreadableError(f"{shown(folder)}: {_INDEX} is damaged", _AGAIN) from error


def _threats(key: bytes, value: bytes) -> Iterator[Threat]:
    name = shown(key.decode("utf-8", "replace"))
    kind = message("BundleEntry" if key else "BundleHeader")()
    try:
        kind.ParseFromString(value)
    except Exception:  # protobuf's DecodeError, whose class differs between its implementations
        yield _threat(name, "is no entry of an index")
        return
    if not key:
        if not 0 < kind.num_shards < 1 << 20:
            yield _threat(name, f"counts {kind.num_shards} files of values")
        return
    sizes = [dim.size for dim in kind.shape.dim]
    if kind.dtype not in _KINDS:
        yield _threat(name, f"has the data type {kind.dtype}, which no variable has")
    if kind.shape.unknown_rank or len(sizes) > 254 or any(size < 0 for size in sizes):
        yield _threat(name, f"has the shape {sizes[:8]}, which no variable has")
    elif math.prod(sizes) * _WIDEST > _MOST_BYTES:
        yield _threat(name, f"has the shape {sizes[:8]}, which no memory holds")
    if kind.offset < 0 or kind.size < 0 or kind.shard_id < 0:
        yield _threat(name, "lies before the beginning of its file")
    for part in kind.slices:
        if any(extent.start < 0 or extent.length < 0 for extent in part.extent):
            yield _threat(name, "has a part with negative bounds")


def _threat(name: str, what: str) -> Threat:
    return Threat(f"variable {name!r}", _INDEX, f"{what}: TensorFlow would end its process")


def _entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a table, all of its blocks."""
    if len(data) < _FOOTER or data[-8:] != _MAGIC:
        raise ValueError("no table")
    _, at = _handle(data, len(data) - _FOOTER)
    index, _ = _handle(data, at)
    for _, value in _block(data, *index):
        handle, _ = _handle(value, 0)
        yield from _block(data, *handle)


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    if offset + size + _TRAILER > len(data) or data[offset + size] not in (_PLAIN, _SNAPPY):
        raise ValueError("no block")
    block = data[offset : offset + size]
    if data[offset + size] == _SNAPPY:
        block = unpacked(block)
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise ValueError("no block")
    at, key = 0, b""
    while at < end:
        shared, at = _number(block, at)
        own, at = _number(block, at)
        length, at = _number(block, at)
        if shared > len(key) or at + own + length > end:
            raise ValueError("no entry")
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and where they end."""
    offset, at = _number(data, at)
    size, at = _number(data, at)
    return (offset, size), at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A varint and where it ends."""
    value = shift = 0
    while shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("no number")
