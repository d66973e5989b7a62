"""Read the attributes and the shapes of an HDF5 file; no data is read, and no link is followed.

A file of the plain form that Keras writes is read without the HDF5 library. The functions here take
the groups and datasets of both.

NOTE: the HDF5 library itself (1.14) can hang or crash the process on a file whose inner bytes were
altered, when it reads a string from a broken heap; no check in Python comes before that. Files cut
short are safe. Who opens files from strangers does so in a child process with a time limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum
from pathlib import Path
from typing import IO, Any

from gradflow.errors import FETCH_AGAIN, DamagedError, UnreadableError
from gradflow.files.hdf5_plain import (
    NotPlainError,
    PlainDataset,
    PlainGroup,
    PlainObject,
    read_plain,
)
from gradflow.files.native import native_parser

MAGIC = b"\x89HDF\r\n\x1a\n"
_ERRORS = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    MemoryError,
)
MAX_OBJECTS = 1_000_000
MAX_DEPTH = 200
"""Groups in groups."""


def holds_hdf5(path: Path) -> bool:
    """Return whether the file has HDF5's signature, at the start or after a user block of 512,
    1024, 2048, ... bytes."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        offset = 0
        while offset + len(MAGIC) <= size:
            file.seek(offset)
            if file.read(len(MAGIC)) == MAGIC:
                return True
            offset = max(512, offset * 2)
    return False


def open_hdf5(source: Path | IO[bytes]) -> AbstractContextManager[Any]:
    """Open an HDF5 file (a ``PlainGroup``, else an ``h5py.File``); use it within
    ``hdf5_errors``."""
    plain = _plain(source)
    return open_with_library(source) if plain is None else nullcontext(plain)


def _plain(source: Path | IO[bytes]) -> PlainGroup | None:
    try:
        if not isinstance(source, Path):
            return read_plain(source)
        with source.open("rb") as file:
            return read_plain(file)
    except (NotPlainError, OSError):  # what is wrong with it, the library says
        return None


def open_with_library(source: Path | IO[bytes]) -> AbstractContextManager[Any]:
    """Open an HDF5 file of any form (an ``h5py.File``); use it within ``hdf5_errors``."""
    native_parser()
    import h5py  # 0.1 s that few files need

    file: AbstractContextManager[Any] = h5py.File(source, mode="r")
    return file


@contextmanager
def hdf5_errors(shown_path: str) -> Iterator[None]:
    """Turn whatever HDF5 says about damage into one line.

    Raises:
        DamagedError: the file is truncated or otherwise broken.
    """
    try:
        yield
    except UnreadableError:
        raise
    except _ERRORS as error:
        cut = "truncated" in str(error)
        problem = "a truncated HDF5 file (it ends early)" if cut else "a damaged HDF5 file"
        raise DamagedError(f"{shown_path}: {problem}", FETCH_AGAIN) from error


def text_attribute(item: Any, name: str) -> str | None:
    """Return a string attribute of a group or file; None where there is none."""
    return _text(item.attrs[name]) if name in item.attrs and _is_text(item, name) else None


def list_attribute(group: Any, name: str) -> list[str]:
    """Return a list of strings, which Keras splits into ``name0``, ``name1``, ... where HDF5's
    limit of 64 kB is exceeded."""
    parts = [name] if name in group.attrs else []
    while not parts or parts[-1] != name:
        part = f"{name}{len(parts)}"
        if part not in group.attrs:
            break
        parts.append(part)
    return [_text(text) for part in parts if _is_text(group, part) for text in group.attrs[part]]


def member(group: Any, name: str) -> Any | None:
    """Return the group or dataset stored in this very file under ``name``; None for links into
    other files, or nothing."""
    if isinstance(group, PlainGroup):
        return group.at(name)
    import h5py

    item = group
    for part in name.split("/"):
        if not part or not isinstance(item, h5py.Group):
            continue
        if not isinstance(item.get(part, getlink=True), h5py.HardLink):
            return None
        item = item[part]
    return item


class Kind(Enum):
    """What stands at a path of an HDF5 file."""

    GROUP = "group"
    DATASET = "dataset"
    TYPE = "type"
    """A data type by itself."""
    LINK = "link"
    """A link to another place or another file, which is not followed."""
    TOO_DEEP = "too deep"
    """A group that is nested deeper than any model needs; what is in it is left out."""
    TOO_MANY = "too many"
    """More objects than any model needs: the walk ends here."""


def walk(group: Any) -> Iterator[tuple[str, Kind, Any]]:
    """Yield every object below ``group``, each once (hard links can make circles): its path, with a
    slash before each name; its kind; and the object, in h5py's low-level form or plain, None for a
    link.

    By h5py's low-level names: a group of its own class for each object takes twice the time.
    """
    if isinstance(group, PlainGroup):
        yield from _walk_plain(group)
        return
    from h5py import h5d, h5g, h5l, h5o

    addresses = {h5o.get_info(group.id).addr}
    waiting: list[tuple[str, int, Any]] = [("", 0, h5o.open(group.id, b"."))]
    while waiting:
        path, depth, current = waiting.pop()
        links: list[tuple[bytes, int]] = []
        current.links.iterate(
            lambda name, info, links=links: links.append((name, info.type)), info=True
        )
        for name, link in links:
            inner = f"{path}/{name.decode('utf-8', 'surrogateescape')}"
            if link != h5l.TYPE_HARD:
                yield inner, Kind.LINK, None
                continue
            item = h5o.open(current, name)
            address = h5o.get_info(item).addr
            if address in addresses:
                continue  # under two names, or on a circle
            addresses.add(address)
            if len(addresses) > MAX_OBJECTS:
                yield inner, Kind.TOO_MANY, item
                return
            if isinstance(item, h5g.GroupID):
                if depth == MAX_DEPTH:
                    yield inner, Kind.TOO_DEEP, item
                    continue
                yield inner, Kind.GROUP, item
                waiting.append((inner, depth + 1, item))
            else:
                yield inner, Kind.DATASET if isinstance(item, h5d.DatasetID) else Kind.TYPE, item


def _walk_plain(root: PlainGroup) -> Iterator[tuple[str, Kind, PlainObject]]:
    """Do what ``walk`` does; such a file is neither too deep nor too large, and has no links."""
    waiting = [("", root)]
    while waiting:
        path, group = waiting.pop()
        for name, item in group.members.items():
            inner = f"{path}/{name}"
            if isinstance(item, PlainGroup):
                yield inner, Kind.GROUP, item
                waiting.append((inner, item))
            else:
                yield inner, Kind.DATASET, item


def contents(
    group: Any,
) -> tuple[list[tuple[tuple[str, ...], str]], list[tuple[tuple[str, ...], Any]]]:
    """Return every group below ``group`` and every dataset, each once.

    Of a group its path, and its own name as it is written in the file; of a dataset its path and
    itself.
    """
    groups, datasets = [], []
    for path, kind, item in walk(group):
        # Keras 2 on Windows wrote `layers\dense` as the name of one group.
        parts = tuple(path[1:].replace("\\", "/").split("/"))
        if kind is Kind.DATASET:
            datasets.append((parts, _high_level(item)))
        elif kind is Kind.GROUP:
            groups.append((parts, path.rpartition("/")[2]))
    return groups, datasets


def _high_level(dataset: Any) -> Any:
    if isinstance(dataset, PlainDataset):
        return dataset
    import h5py

    return h5py.Dataset(dataset)


def dtype_of(dataset: Any) -> str:
    """Return the dtype's numpy name; Keras marks bfloat16, which HDF5 has no type for, with an
    attribute."""
    keras_dtype = text_attribute(dataset, "dtype")
    if keras_dtype is not None:
        return keras_dtype
    return dataset.dtype if isinstance(dataset, PlainDataset) else str(dataset.dtype.name)


def shape_of(dataset: Any) -> tuple[int, ...]:
    """Return the dataset's shape (empty for a scalar, and for HDF5's null dataspace)."""
    return tuple(int(size) for size in dataset.shape or ())


def _is_text(item: Any, name: str) -> bool:
    # Keras writes an empty list as an array of floats; of any other type than a string is only what
    # was tampered with.
    if isinstance(item, PlainObject):
        return item.is_text(name)
    import h5py

    return bool(item.attrs.get_id(name).get_type().get_class() == h5py.h5t.STRING)


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
