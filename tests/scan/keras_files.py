"""Keras files of the usual kind, their JSON, and what is made of them with one thing in it
changed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py

from gradflow.files.hdf5 import holds_hdf5
from gradflow.files.model_file import ModelFile
from gradflow.findings import Format
from gradflow.scan.keras.scan import scan_keras
from tests.cli.command import ROOT, SAMPLES

REAL = ROOT.parent / "shared" / "models"
_PLACES = (SAMPLES, ROOT / "tests" / "files" / "data", REAL)
_WITH_CODE = frozenset({"sequential_lambda.h5"})


def recognised(path: Path) -> ModelFile:
    return ModelFile(path, Format.H5 if holds_hdf5(path) else Format.KERAS)


def config_of(path: Path) -> Any:
    """The JSON of a file's model; None where it holds none."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    with h5py.File(path) as file:
        text = file.attrs.get("model_config")
    return None if text is None else json.loads(text)


FILES = sorted(
    path
    for place in _PLACES
    for suffix in ("keras", "h5", "hdf5")
    for path in place.rglob(f"*.{suffix}")
    if path.name not in _WITH_CODE
    and (zipfile.is_zipfile(path) or holds_hdf5(path))
    and config_of(path) is not None
)
"""Of this repository and of the real models; none holds code."""


def sentences(path: Path, imports: tuple[str, ...] = (), *, is_trained: bool = False) -> list[str]:
    """What a scan says of a file."""
    return [one.sentence for one in scan_keras(recognised(path), imports, is_trained).threats]


def dense(units: int = 2, **more: object) -> dict[str, Any]:
    """A model of one layer as Keras 3 writes it, with more in the layer's configuration."""
    layer = {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": "dense", "units": units, "activation": "linear", **more},
        "registered_name": None,
        "build_config": {"input_shape": [None, 3]},
    }
    config = {"name": "sequential", "layers": [layer]}
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": config,
        "registered_name": None,
    }


def weights(fill: Callable[[h5py.File], None] = lambda _: None) -> bytes:
    """An HDF5 file with the weights of ``dense()``, and what ``fill`` adds."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["layers/dense/vars/0"] = [[0.5, 0.25]] * 3
        file["layers/dense/vars/1"] = [0.0, 0.0]
        fill(file)
    return stream.getvalue()


def archive(
    path: Path,
    members: Mapping[str, bytes] = {},
    config: object = None,
    packed: int = zipfile.ZIP_STORED,
) -> Path:
    """Write a ``.keras`` file of the usual members, and of ``members`` in their place or beside
    them."""
    usual = {
        "metadata.json": b'{"keras_version": "3.15.1"}',
        "config.json": json.dumps(config or dense()).encode(),
        "model.weights.h5": weights(),
    }
    with zipfile.ZipFile(path, "w", packed) as written:
        for name, data in {**usual, **members}.items():
            written.writestr(name, data)
    return path


def h5(
    path: Path, fill: Callable[[h5py.File], None] = lambda _: None, config: object = None
) -> Path:
    """Write an ``.h5`` file with a model, and what ``fill`` adds."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config or dense())
        file["model_weights/dense/kernel:0"] = [[0.5, 0.25]] * 3
        fill(file)
    return path
