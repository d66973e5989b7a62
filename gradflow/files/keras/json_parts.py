"""A Keras file in, the JSON that describes its model, its building and its training out, as it
stands in the file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from gradflow.files.hdf5 import opened, text_attribute
from gradflow.files.model_file import ModelFile
from gradflow.findings import Format
from gradflow.text import shown


@dataclass(frozen=True, slots=True)
class KerasJson:
    """JSON values; None where the file has none."""

    model: object
    """The layers with their configurations, building and compiling left out."""
    build: object
    """Shapes that a ``.keras`` file records for a model that has no symbolic inputs."""
    training: object
    """What the model was compiled with."""


def read_json(file: ModelFile) -> KerasJson:
    """Read the JSON of a Keras file.

    Raises:
        UnreadableError: the file is damaged.
        ValueError, OSError, KeyError: the file holds no JSON.
    """
    if file.format is Format.KERAS:
        with zipfile.ZipFile(file.path) as archive:
            config = _parsed(archive.read("config.json").decode())
        parts = dict(config) if isinstance(config, Mapping) else {}
        build, training = parts.pop("build_config", None), parts.pop("compile_config", None)
        return KerasJson(parts, build, training)
    with opened(file.path, shown(file.path)) as hdf5:
        texts = [text_attribute(hdf5, name) for name in ("model_config", "training_config")]
    model, training = (_parsed(text) for text in texts)
    return KerasJson(model, None, training)


def _parsed(text: str | None) -> object:
    value: object = None if text is None else json.loads(text)
    return value
