"""Find entries in the index of a SavedModel's variables that would end TensorFlow's process.

Source: tensorflow/core/protobuf/tensor_bundle.proto and
tensorflow/core/util/tensor_bundle/tensor_bundle.cc, 2.21. TensorFlow checks its own
invariants with CHECK, which aborts, when it reads an entry that it would never have written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gradflow.errors import UnreadableError
from gradflow.files.dtypes import BYTES, STRING
from gradflow.files.saved_model.schema import DecodeError, parse
from gradflow.scan.saved_model.sorted_table import read_table
from gradflow.scan.threat import Threat
from gradflow.text import shown

_INDEX = "variables/variables.index"
_OLD = "variables/variables"
_DEEPEST = 254
"""Dimensions of a tensor."""
_MOST_FILES = 1 << 16
_AGAIN = "copy or download the model again, or save it again; --static reads the graph alone"


def damaged_variables(folder: Path) -> list[Threat]:
    """Return the entries of ``variables/variables.index`` that no TensorFlow has written; none
    where there is no such file.

    Raises:
        UnreadableError: it is no such index, cut short or altered.
    """
    path = folder / _INDEX
    if not path.is_file():
        return [_old()] if (folder / _OLD).exists() else []
    try:
        return list(_threats(folder, list(read_table(path.read_bytes()))))
    except _CutShortError as file:
        raise UnreadableError(f"{shown(folder)}: {file} is cut short", _AGAIN) from file
    except (ValueError, IndexError) as error:
        raise UnreadableError(f"{shown(folder)}: {_INDEX} is damaged", _AGAIN) from error


class _CutShortError(Exception):
    """A file of values ends before one of them; its name."""


def _old() -> Threat:
    harm = "is of the form that checkpoints had before TensorFlow 1.0, which gradflow does not know"
    return Threat(f"file {_OLD!r}", "the model's folder", harm)


def _threats(folder: Path, entries: list[tuple[bytes, bytes]]) -> Iterator[Threat]:
    files: list[int | None] = []
    room = 0.0
    for key, value in entries:
        name = shown(key.decode("utf-8", "replace"))
        try:
            kind = parse("BundleEntry" if key else "BundleHeader", value)
        except DecodeError:
            yield _threat(name, "is no entry of an index")
            continue
        if key:
            for oddity in _oddities(kind, files, room):
                yield _threat(name, oddity)
        elif not 0 < kind.num_shards <= _MOST_FILES:
            yield _threat(name, f"counts {kind.num_shards:,} files of values")
            return
        else:
            files = [_size(folder, number, kind.num_shards) for number in range(kind.num_shards)]
            room = _room(files)


def _oddities(entry: Any, files: list[int | None], room: float) -> Iterator[str]:
    """Yield what TensorFlow would check too late, or allocate before it checks; ``room`` is how
    many entries all files of values can hold."""
    sizes = [dim.size for dim in entry.shape.dim]
    if entry.dtype not in BYTES and entry.dtype != STRING:
        yield f"has the data type {entry.dtype}, which no variable has"
    elif entry.shape.unknown_rank or len(sizes) > _DEEPEST or any(size < 0 for size in sizes):
        yield f"has the shape {sizes[:8]}, which no variable has"
    elif entry.slices:
        if not _fit_together(entry.slices, sizes) or math.prod(sizes) > room:
            yield "has parts that do not fit together"
    elif not _holds(entry, math.prod(sizes)):
        yield f"has the shape {sizes[:8]}, and {entry.size:,} bytes for it"
    if entry.offset < 0 or entry.size < 0 or not 0 <= entry.shard_id < len(files):
        yield "lies in no file of values"
        return
    length = files[entry.shard_id]
    if length is not None and entry.offset + entry.size > length:
        raise _CutShortError(_name(entry.shard_id, len(files)))


def _holds(entry: Any, count: int) -> bool:
    """Return whether the bytes of an entry are those of ``count`` values; a string takes one at
    least."""
    size = int(entry.size)
    return count <= size if entry.dtype == STRING else count * BYTES[entry.dtype] == size


def _fit_together(parts: Iterable[Any], sizes: list[int]) -> bool:
    """Return whether the parts in which a variable is stored lie within it, each but once, and are
    all of it."""
    boxes: set[tuple[tuple[int, int], ...]] = set()
    for part in parts:
        if len(part.extent) != len(sizes):
            return False
        # An extent without a length is the whole of its dimension.
        bounds = [
            (extent.start, extent.length if extent.HasField("length") else None)
            for extent in part.extent
        ]
        if any(start != 0 for start, length in bounds if length is None):
            return False
        box = tuple(
            (start, size if length is None else length)
            for (start, length), size in zip(bounds, sizes, strict=True)
        )
        if box in boxes or any(
            start < 0 or not 0 < length <= size - start
            for (start, length), size in zip(box, sizes, strict=True)
        ):
            return False
        boxes.add(box)
    return sum(math.prod(length for _, length in extent) for extent in boxes) == math.prod(sizes)


def _room(files: list[int | None]) -> float:
    """Return the most entries that all files of values can hold."""
    return 2 * sum(math.inf if size is None else size for size in files)


def _size(folder: Path, number: int, count: int) -> int | None:
    """Bytes of a file of values; None where there is no such file, which TensorFlow tells by
    itself."""
    path = folder / _name(number, count)
    return path.stat().st_size if path.is_file() else None


def _name(number: int, count: int) -> str:
    return f"{_OLD}.data-{number:05d}-of-{count:05d}"


def _threat(name: str, oddity: str) -> Threat:
    return Threat(f"variable {name!r}", _INDEX, f"{oddity}, which can end TensorFlow's process")
