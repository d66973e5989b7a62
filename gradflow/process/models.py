"""Find the models that a path stands for: itself, or all below it where it is a folder of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gradflow.files.remote import is_remote
from gradflow.findings import Listing
from gradflow.process.parent import list_models

_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")


@dataclass(frozen=True, slots=True)
class Models:
    """The paths of models, in order, and what to say of the folders that they were found in."""

    paths: tuple[str, ...]
    remarks: tuple[str, ...]


def models_at(paths: Iterable[str]) -> Models:
    """Return the models that ``paths`` stand for.

    A folder without one stays as it is: its analysis tells what it holds.
    """
    models: list[str] = []
    remarks = []
    for path in paths:
        if not _may_hold_models(path):
            models.append(path)
            continue
        listing = list_models(path)
        below = [_below(path, name) for name in listing.models] or [path]
        models += [model for model in below if model not in models]
        if listing.models:
            remarks.append(_remark(path, listing))
    return Models(tuple(models), tuple(remarks))


def _may_hold_models(path: str) -> bool:
    if is_remote(path):
        return False
    folder = Path(path)
    try:
        return folder.is_dir() and not any((folder / name).exists() for name in _GRAPHS)
    except (OSError, ValueError):
        return False


def _below(folder: str, name: str) -> str:
    if Path(folder) == Path():
        return name
    return f"{folder.rstrip('/')}/{name}"


def _remark(path: str, listing: Listing) -> str:
    """Say how much is below a folder, and what of it is not looked at."""
    count = len(listing.models)
    parts = [f"{path}: {count:,} {'model' if count == 1 else 'models'} below it"]
    if listing.others:
        words = "file is no model" if listing.others == 1 else "files are none"
        parts.append(f"{listing.others:,} other {words}")
    if listing.hidden:
        words = "folder is" if listing.hidden == 1 else "folders are"
        parts.append(f"{listing.hidden:,} hidden {words} not looked into")
    return ", ".join(parts)
