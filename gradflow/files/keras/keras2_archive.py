"""Move the weights in a ``.keras`` archive of an early Keras 2 to where Keras 2.14 and later look
for them.

Keras 2.12 and 2.13 keep layers in ``_layer_checkpoint_dependencies`` and count each with weights
twice: ``dense``, ``dense_2``, ``dense_4``. On Windows all versions up to 2.15 join names by
backslashes: one group ``layers\\dense``. No other version of Keras finds such weights.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from gradflow.files.hdf5 import contents
from gradflow.files.keras.opened import WEIGHTS, archive_of, h5py_of, hdf5_of
from gradflow.files.model_file import ModelFile

_OLD = "_layer_checkpoint_dependencies"
_NEW = "layers"
GroupPath = tuple[str, ...]


def modern(paths: Iterable[GroupPath]) -> Callable[[GroupPath], GroupPath]:
    """Return a function from a group's place to that which a later Keras gives it; ``places`` are
    all groups'."""
    children: dict[GroupPath, set[str]] = defaultdict(set)
    for path in paths:
        for index, part in enumerate(path[:-1]):
            if part == _OLD:
                children[path[: index + 1]].add(path[index + 1])
    names = {container: _counted(names_inside) for container, names_inside in children.items()}

    def rename(path: GroupPath) -> GroupPath:
        renamed = []
        for index, part in enumerate(path):
            above = names.get(path[:index])
            renamed.append(
                _NEW if part == _OLD else part if above is None else above.get(part, part)
            )
        return tuple(renamed)

    return rename


def relaid(file: ModelFile, folder: Path) -> Path | None:
    """Write the archive with its weights placed anew into ``folder``; None where they are in place.

    Raises:
        UnreadableError: the weights are damaged.
    """
    archive = archive_of(file)
    if WEIGHTS not in archive.namelist():
        return None
    new = folder / f"relaid_{WEIGHTS}"
    with hdf5_of(file) as hdf5:
        if not _is_old(contents(hdf5)[0]):
            return None
    with h5py_of(file) as hdf5:
        _copy(hdf5, new)
    target = folder / "relaid_model.keras"
    with zipfile.ZipFile(target, "w") as written:
        for name in archive.namelist():
            if name != WEIGHTS:
                written.writestr(name, archive.read(name))
        written.write(new, WEIGHTS)
    return target


def _is_old(groups: Sequence[tuple[GroupPath, str]]) -> bool:
    return any(_OLD in path or "\\" in name for path, name in groups)


def _copy(weights: Any, new: Path) -> None:
    """Copy the ``h5py.File`` ``weights`` to ``new`` with its groups renamed."""
    import h5py

    paths, datasets = contents(weights)
    rename = modern(path for path, _ in paths)
    with h5py.File(new, "w") as copy:
        for path, _ in paths:
            copy.require_group("/".join(rename(path)))
        for path, dataset in datasets:
            weights.copy(dataset, copy["/".join(rename(path[:-1]))], path[-1])


def _counted(names: Iterable[str]) -> dict[str, str]:
    """Number the names that differ in a number at the end one after the other: dense, dense_1,
    dense_2."""
    stems: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in names:
        stem, _, number = name.rpartition("_")
        is_numbered = bool(stem) and number.isdecimal()
        stems[stem if is_numbered else name].append((int(number) if is_numbered else 0, name))
    return {
        name: f"{stem}_{count}" if count else stem
        for stem, numbered in stems.items()
        for count, (_, name) in enumerate(sorted(numbered))
    }
