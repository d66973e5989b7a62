"""Scan a model file of any format for what could do harm."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from gradflow.files.formats import FILE_FORMATS
from gradflow.files.model_file import ModelFile
from gradflow.scan.threat import Scanned


def scan(file: ModelFile, imports: Sequence[str] = (), is_trained: bool = False) -> Scanned:
    """Look for whatever in ``file`` is not known to be harmless.

    Args:
        file: the model.
        imports: the modules that the user lets in for it.
        is_trained: whether what a Keras model was compiled with counts too, which is not read with
            the model itself.

    Raises:
        UnreadableError: it is damaged.
    """
    reader = FILE_FORMATS[file.format].reader
    module = import_module(f"gradflow.scan.{reader}.scan")
    scanned: Scanned = getattr(module, f"scan_{reader}")(file, imports, is_trained)
    return scanned
