"""Find what in an HDF5 file leads out of it, or is of a kind that no Keras writes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gradflow.files.hdf5 import MAX_DEPTH, MAX_OBJECTS, Kind, walk
from gradflow.files.hdf5_plain import PlainDataset
from gradflow.scan.threat import Threat
from gradflow.text import quoted

_FILTERS = frozenset({1, 2, 3, 32000})
"""gzip, shuffle and checksum of HDF5 itself, and h5py's lzf."""
_KINDS = "fiubcSVO"
"""Letters of NumPy's types; V is how bfloat16 is stored, O a string of any length."""
_BIG, _MOST_RATIO = 1 << 28, 2000
"""A dataset of more bytes that takes less than a part of them in the file; gzip reaches 1,030."""
_SLOW = "take hours to read"


@dataclass(slots=True)
class HDF5Look:
    """A look through an HDF5 file, which counts on the way."""

    member: str
    """What the file is called in messages."""
    numbers: int = 0
    """How many numbers its datasets hold."""

    def strange(self, file: Any) -> Iterator[Threat]:
        """Yield the links, datasets and types of ``file`` (as ``open_hdf5`` gives it) that have no
        place in a model."""
        for path, kind, item in walk(file):
            if kind is Kind.TOO_MANY:
                yield Threat(f"more than {MAX_OBJECTS:,} objects", self.member, _SLOW)
                return
            if kind is Kind.TOO_DEEP:
                yield Threat(f"groups {MAX_DEPTH} levels deep", self.member, _SLOW)
                return
            if kind is Kind.DATASET:
                self.numbers += math.prod(item.shape or ())
            for harm in _harms(kind, item):
                yield Threat(_quoted(path), self.member, harm)


def _quoted(path: str) -> str:
    return quoted(path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _harms(kind: Kind, item: Any) -> Iterator[str]:
    """Yield what is strange about one object."""
    if kind is Kind.LINK:
        yield "is a link to another place, whose data would be read"
    elif kind is Kind.TYPE:
        yield "is a type by itself, which no Keras writes"
    elif kind is Kind.DATASET:
        yield from _harms_of_dataset(item)


def _harms_of_dataset(dataset: Any) -> Iterator[str]:
    if isinstance(dataset, PlainDataset):
        return  # the plain form has nothing of this
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
