"""Find the models that a path stands for: itself, or all below it where it is a folder of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gradflow.files.graph_file import model_of
from gradflow.files.own_function import is_function
from gradflow.files.remote import is_remote
from gradflow.findings import Listing
from gradflow.lazy_dataclass import dataclass
from gradflow.process.parent import list_models

_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")


@dataclass(frozen=True, slots=True)
class Models:
    """The paths of models, in order, and what to say of the folders that they were found in."""

    paths: tuple[str, ...]
    remarks: tuple[str, ...]


def models_at(paths: Iterable[str]) -> Models:
    """Return the models that ``paths`` stand for, each once.

    A folder without one stays as it is: its analysis tells what it holds.
    """
    models: dict[str, str] = {}
    remarks = []
    for path in each_once(paths):
        below = [path]
        if _may_hold_models(path):
            listing = list_models(path)
            below = [_below(path, name) for name in listing.models] or [path]
            if listing.models:
                remarks.append(_remark(path, listing))
        for model in below:
            models.setdefault(_place(model), model)
    return Models(tuple(models.values()), tuple(remarks))


def each_once(paths: Iterable[str]) -> list[str]:
    """Return ``paths`` without those that another one before them is, written in another way."""
    first: dict[str, str] = {}
    for path in paths:
        first.setdefault(_place(path), path)
    return list(first.values())


def _place(path: str) -> str:
    """Return the same text for each way to write the path of one model; a link is one of its
    own."""
    if is_remote(path) or is_function(path):
        return path
    model = model_of(Path(path))
    try:
        is_named = model.name not in ("", "..")
        return str(model.parent.resolve() / model.name if is_named else model.resolve())
    except (OSError, ValueError, RuntimeError):  # a loop of links, a byte that no path has
        return path


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
