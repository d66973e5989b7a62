"""Rewrite a ``.keras`` archive with its weights under the names of another version of Keras."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py

WEIGHTS = "model.weights.h5"
Rename = Callable[[str], str]
"""The name of a group or dataset in the file, and that of the other version."""


def of_keras_2_13(name: str) -> str:
    """Each layer is counted twice, where it has weights: dense, dense_2, dense_4."""
    counted = re.sub(r"(?<=layers/dense)_(\d+)", lambda match: f"_{2 * int(match[1])}", name)
    return re.sub(r"^layers", "_layer_checkpoint_dependencies", counted)


def of_windows(name: str) -> str:
    """What Keras joins itself, it joins by backslashes; the groups of variables are below."""
    layer, vars_, number = name.partition("/vars")
    return layer.replace("/", "\\") + vars_ + number


def replace_weights(path: Path, target: Path, rename: Rename) -> None:
    """Write ``path`` to ``target`` with its groups renamed."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(target, "w") as written:
        old, new = io.BytesIO(archive.read(WEIGHTS)), io.BytesIO()
        with h5py.File(old) as source, h5py.File(new, "w") as copy:

            def place(name: str, found: object) -> None:
                if isinstance(found, h5py.Dataset):
                    copy.create_dataset(rename(name), data=found[()])
                elif name.endswith("vars"):
                    copy.require_group(rename(name))

            source.visititems(place)
        for name in archive.namelist():
            written.writestr(name, new.getvalue() if name == WEIGHTS else archive.read(name))
