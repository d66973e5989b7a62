"""Tell what is installed, TensorFlow above all, and how to install a part that is missing."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from functools import cache
from pathlib import Path

DISTRIBUTION = "gradflow-tf"
"""The name on the package index, where ``gradflow`` belongs to somebody else."""
TENSORFLOW_DISTRIBUTIONS = (
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-gpu",
    "tensorflow-intel",
    "tensorflow-macos",
    "tensorflow-rocm",
    "tensorflow-cpu-aws",
    "tensorflow-aarch64",
    "intel-tensorflow",
    "tf-nightly",
    "tf-nightly-cpu",
)
"""Names under which the package index has the import package ``tensorflow``."""
OLDEST_TENSORFLOW = (2, 16, 1)
NEWEST_TENSORFLOW = (2, 21)
"""The versions that gradflow is tested with, as the extra ``tf`` has them."""
_PACKAGES = frozenset({"site-packages", "dist-packages"})
"""Folders into which pip installs."""
_RELEASE = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def install_command(extra: str) -> str:
    """Return the command that installs gradflow with that extra, as a hint shows it."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


NOT_INSTALLED = "TensorFlow is not installed"
FILES_ARE_READ = (
    f"{NOT_INSTALLED}: files are read without running them; {install_command('tf')} to measure "
    f"gradients"
)
"""Said once where files are read because there is no TensorFlow, and ``--static`` is not given."""


def has_tensorflow() -> bool:
    """Return whether TensorFlow can be imported, without importing it."""
    return _tensorflow_file() is not None


def tensorflow_version() -> str | None:
    """Return the version of the installed TensorFlow, without importing it.

    None where there is none, where it comes from a distribution of an unknown name (a vendor's
    build), or where two distributions disagree.
    """
    if not has_tensorflow():
        return None
    from importlib import metadata  # 0.05 s, which a process that only reads a file does without

    versions = set()
    for name in TENSORFLOW_DISTRIBUTIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions.add(metadata.version(name))
    return versions.pop() if len(versions) == 1 else None


def tensorflow_identity() -> str:
    """Return a text that changes when another TensorFlow is installed, also one whose version is
    not known; empty where there is none."""
    file = _tensorflow_file()
    if file is None:
        return ""
    version = tensorflow_version()
    if version is not None:
        return version
    try:
        return f"{file} {file.stat().st_mtime_ns}"
    except OSError:
        return str(file)


def unsupported_version() -> str:
    """Return a warning where the installed TensorFlow is older or newer than those that gradflow
    is tested with; empty where it is not, or where its version is not known."""
    version = tensorflow_version()
    match = _RELEASE.match(version or "")
    if match is None:
        return ""
    release = tuple(int(number) for number in match.groups(default="0"))
    if release < OLDEST_TENSORFLOW:
        oldest = ".".join(map(str, OLDEST_TENSORFLOW))
        return (
            f"TensorFlow {version} is older than {oldest}, the oldest that gradflow is tested "
            f"with: models may fail; {install_command('tf')} brings a newer one"
        )
    if release[:2] > NEWEST_TENSORFLOW:
        newest = ".".join(map(str, NEWEST_TENSORFLOW))
        return (
            f"TensorFlow {version} is newer than {newest}, the newest that gradflow is tested "
            f"with: models that use its new ops are not run"
        )
    return ""


@cache
def is_installed(package: str) -> bool:
    """Return whether pip has installed the import package, without importing it: a module in a
    folder of the user's own is none."""
    try:
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
    except (ImportError, ValueError):  # a module without a spec
        return False
    if spec is None:
        return False
    files = [*(spec.submodule_search_locations or ()), spec.origin or ""]
    return any(_PACKAGES.intersection(Path(file).parts) for file in files)


def _tensorflow_file() -> Path | None:
    """Return the file that ``import tensorflow`` runs."""
    try:
        spec = importlib.util.find_spec("tensorflow")
    except ValueError:  # a module of that name without a spec: made up by a test
        return None
    # A folder of that name without __init__.py is found too, and has no file.
    return None if spec is None or spec.origin is None else Path(spec.origin)
