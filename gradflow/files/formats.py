"""Name the formats of model files: what each is called, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gradflow.findings import Format
from gradflow.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format of model files that gradflow reads."""

    name: str
    """What people are told that a file of it is."""
    reader: str
    """Who reads it, by the names of modules and functions: ``gradflow/files/READER``;
    ``scan_READER`` in ``gradflow/scan/READER/scan.py`` looks for what could do harm; in
    ``gradflow/analysis``, ``report_READER`` of ``static_READER.py`` tells the verdicts of the file
    and ``run_READER`` of ``dynamic_READER.py`` steps the model.

    They are imported where a file has the format: all of them take twice as long.
    """
    judged: tuple[str, ...] = ("",)
    """What the scan judges, by its name below the path: bytes of files, and which files there
    are."""


FILE_FORMATS: Mapping[Format, FileFormat] = MappingProxyType(
    {
        Format.KERAS: FileFormat("Keras file", "keras"),
        Format.H5: FileFormat("HDF5 file", "keras"),
        Format.SAVED_MODEL: FileFormat(
            "SavedModel",
            "saved_model",
            judged=(
                "saved_model.pb",
                "variables",
                "variables/variables.index",
                "assets",
                "assets.extra",
            ),
        ),
    }
)
READERS = tuple(dict.fromkeys(file_format.reader for file_format in FILE_FORMATS.values()))
"""Each once."""
