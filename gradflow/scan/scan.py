"""Scan a model file of any format for what could do harm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gradflow.files.model_file import ModelFile
from gradflow.findings import Format
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
    return _SCANS[file.format](file, imports, is_trained)


# Each format takes modules of its own to read, and a file has one.
def _saved_model(file: ModelFile, imports: Sequence[str], is_trained: bool) -> Scanned:
    from gradflow.scan.saved_model.scan import scan_saved_model

    return scan_saved_model(file)


def _keras(file: ModelFile, imports: Sequence[str], is_trained: bool) -> Scanned:
    from gradflow.scan.keras.scan import scan_keras

    return scan_keras(file, imports, is_trained)


_SCANS: Mapping[Format, Callable[[ModelFile, Sequence[str], bool], Scanned]] = {
    Format.SAVED_MODEL: _saved_model,
    Format.KERAS: _keras,
    Format.H5: _keras,
}
