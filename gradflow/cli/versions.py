"""Tell the versions of gradflow and of what it runs on, without an import of TensorFlow."""

from __future__ import annotations

import importlib.metadata
import platform

from gradflow.installed import has_tensorflow, tensorflow_version
from gradflow.version import VERSION


def versions() -> str:
    """Return two lines: gradflow's own version, and those that a report of a fault should name."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    parts = [f"Python {platform.python_version()}", _tensorflow(), _keras(), system]
    return f"gradflow, version {VERSION}\n{', '.join(parts)}"


def _tensorflow() -> str:
    if not has_tensorflow():
        return "no TensorFlow"
    return f"TensorFlow {tensorflow_version() or 'of an unknown version'}"


def _keras() -> str:
    versions = []
    for distribution in ("keras", "tf-keras"):
        try:
            versions.append(f"{distribution} {importlib.metadata.version(distribution)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(versions).replace("keras", "Keras", 1) if versions else "no Keras"
