"""List what can be called in a model file, and the models in a folder.

Field order is the order of the JSON list."""

from __future__ import annotations

from gradflow.findings.types import Failure, Format
from gradflow.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ListedTensor:
    """An input or output of an entry; ``shape`` is None where the rank is not recorded."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """One function that can be named with ``--entry``."""

    name: str
    is_default: bool
    """Whether it is the one that is taken without ``--entry``."""
    weights: int
    """How many weights it computes with."""
    inputs: tuple[ListedTensor, ...]
    outputs: tuple[ListedTensor, ...]


@dataclass(frozen=True, slots=True)
class EntryList:
    """The entries of one file; ``error`` says why they could not be read."""

    path: str
    format: Format | None
    producer: str | None
    weights: int
    """Of the whole file."""
    entries: tuple[ListedEntry, ...]
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a folder."""

    models: tuple[str, ...]
    """Their paths, relative to the folder, with a slash between names."""
    others: int
    """How many files are no model, and no part of one."""
    hidden: int
    """How many folders were not looked into, since their names begin with a dot."""
