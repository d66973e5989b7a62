"""An open HDF5 file in, what in it leads out of the file, or is of a kind that no Keras writes, out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from gradflow.files.wording import shown
from gradflow.scan.threat import Threat

_FILTERS = frozenset({1, 2, 3, 32000})
"""gzip, shuffle and checksum of HDF5 itself, and h5py's lzf."""
_KINDS = "fiubcSVO"
"""Letters of NumPy's types; V is how bfloat16 is stored, O a string of any length."""
_BIG, _MOST_RATIO = 1 << 28, 2000
"""A dataset of more bytes that takes less than a part of them in the file; gzip reaches 1,030."""
_MOST_OBJECTS = 1_000_000


def strange_hdf5(file: Any, member: str) -> Iterator[Threat]:
    """The links, datasets and types of ``file`` (an ``h5py.File``) that have no place in a model.

    ``member``: what the file is called in messages.
    """
    import h5py

    seen = {h5py.h5o.get_info(file.id).addr}
    waiting: list[tuple[str, Any]] = [("", file)]
    while waiting:
        path, group = waiting.pop()
        for key in group:
            place = f"{path}/{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                yield _threat(place, member, "is a link to another place, whose data would be read")
                continue
            found = group[key]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                continue  # under two names, or on a circle
            seen.add(address)
            if len(seen) > _MOST_OBJECTS:
                yield Threat(f"more than {_MOST_OBJECTS:,} objects", member, "take hours to read")
                return
            if isinstance(found, h5py.Group):
                waiting.append((place, found))
            elif isinstance(found, h5py.Dataset):
                for harm in _harms(found):
                    yield _threat(place, member, harm)
            else:
                yield _threat(place, member, "is a type by itself, which no Keras writes")


def _harms(dataset: Any) -> Iterator[str]:
    import h5py

    plan = dataset.id.get_create_plist()
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
    if kind.kind not in _KINDS or (kind.kind == "O" and h5py.check_string_dtype(kind) is None):
        yield "is of a type that no variable has"
    size = math.prod(dataset.shape or ()) * kind.itemsize
    if size > _BIG and dataset.id.get_storage_size() * _MOST_RATIO < size:
        yield f"claims {size >> 20:,} MB that the file does not hold"


def _threat(place: str, member: str, harm: str) -> Threat:
    return Threat(f"{shown(place)!r}", member, harm)
