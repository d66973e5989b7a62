"""An open HDF5 file in, what in it leads out of the file, or is of a kind that no Keras writes,
out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gradflow.scan.threat import Threat
from gradflow.text import shown

_FILTERS = frozenset({1, 2, 3, 32000})
"""gzip, shuffle and checksum of HDF5 itself, and h5py's lzf."""
_KINDS = "fiubcSVO"
"""Letters of NumPy's types; V is how bfloat16 is stored, O a string of any length."""
_BIG, _MOST_RATIO = 1 << 28, 2000
"""A dataset of more bytes that takes less than a part of them in the file; gzip reaches 1,030."""
_MOST_OBJECTS, _DEEPEST = 1_000_000, 200


@dataclass(slots=True)
class HDF5Look:
    """A look through an HDF5 file, which counts on the way."""

    member: str
    """What the file is called in messages."""
    numbers: int = 0
    """How many numbers its datasets hold."""

    def strange(self, file: Any) -> Iterator[Threat]:
        """The links, datasets and types of ``file`` (an ``h5py.File``) that have no place in a
        model."""
        for place, harm, size in _walk(file):
            self.numbers += size
            if harm:
                yield Threat(place, self.member, harm)


def _walk(file: Any) -> Iterator[tuple[str, str, int]]:
    """Each object's place, what is strange about it (nothing where that is empty), and its numbers.

    By h5py's low-level names: a group of its own class for each object takes twice the time.
    """
    from h5py import h5d, h5g, h5l, h5o

    seen = {h5o.get_info(file.id).addr}
    waiting: list[tuple[str, int, Any]] = [("", 0, h5o.open(file.id, b"/"))]
    while waiting:
        path, depth, group = waiting.pop()
        links: list[tuple[bytes, int]] = []
        group.links.iterate(
            lambda name, info, links=links: links.append((name, info.type)), info=True
        )
        for name, kind in links:
            place = f"{path}/{name.decode('utf-8', 'replace')}"
            if kind != h5l.TYPE_HARD:
                yield _named(place), "is a link to another place, whose data would be read", 0
                continue
            found = h5o.open(group, name)
            address = h5o.get_info(found).addr
            if address in seen:
                continue  # under two names, or on a circle
            seen.add(address)
            if len(seen) > _MOST_OBJECTS:
                yield f"more than {_MOST_OBJECTS:,} objects", "take hours to read", 0
                return
            if isinstance(found, h5g.GroupID):
                if depth == _DEEPEST:
                    yield f"groups {_DEEPEST} levels deep", "take hours to read", 0
                    return
                waiting.append((place, depth + 1, found))
            elif isinstance(found, h5d.DatasetID):
                yield place, "", math.prod(found.shape or ())
                for harm in _harms(found):
                    yield _named(place), harm, 0
            else:
                yield _named(place), "is a type by itself, which no Keras writes", 0


def _harms(dataset: Any) -> Iterator[str]:
    import h5py

    plan = dataset.get_create_plist()
    layout = plan.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        yield "takes its data from other files"
        return
    if layout == h5py.h5d.CONTIGUOUS and plan.get_external_count():
        yield "keeps its data in another file"
        return
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    unknown = [number for number in filters if number not in _FILTERS]
    if unknown:
        yield f"is packed in a way that needs a plug-in (filter {unknown[0]})"
    kind = dataset.dtype
    is_plain = kind.kind in _KINDS and not kind.names and kind.subdtype is None
    if not is_plain or (kind.kind == "O" and h5py.check_string_dtype(kind) is None):
        yield "is of a type that no variable has"
    size = math.prod(dataset.shape or ()) * kind.itemsize
    if size > _BIG and dataset.get_storage_size() * _MOST_RATIO < size:
        yield f"claims {size >> 20:,} MB that the file does not hold"


def _named(place: str) -> str:
    return repr(shown(place))
