"""Find the models below a folder: a SavedModel folder is one model, and nothing in it is looked
at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from gradflow.errors import NoModelError, UnreadableError
from gradflow.files.recognise import (
    KERAS_SUFFIXES,
    WEIGHTS_SUFFIX,
    glance,
    may_be_keras,
    recognise,
)
from gradflow.findings import Listing

_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")
"""One in text form cannot be read: it is listed, so that its user is told."""
_ARCHIVE = ".keras"


def models_below(folder: Path, *, look_inside: bool) -> Listing:
    """Return the models below ``folder``, in the order of their names.

    A damaged model is listed too, since nobody would be told of it otherwise: a file whose name
    says that it is one, and a folder that cannot be read.

    Args:
        folder: is no SavedModel itself.
        look_inside: open the Keras files, which only a process that may die does. Else their first
            bytes decide, and files of weights are listed too.
    """
    walk = _Walk(folder, recognise if look_inside else glance)
    models = sorted(walk.models(folder), key=lambda path: path.parts)
    return Listing(
        tuple(path.relative_to(folder).as_posix() for path in models), walk.others, walk.hidden
    )


class _Walk:
    def __init__(self, root: Path, look: Callable[[Path], object]) -> None:
        self._look = look
        self._root = root.resolve()
        self._seen = {self._root}
        self.others = self.hidden = 0

    def models(self, root: Path) -> Iterator[Path]:
        folders = [root]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as scanned:
                    entries = sorted(scanned, key=lambda entry: entry.name)
            except OSError:
                yield folder
                continue
            if folder != root and _is_model_folder(folder, entries):
                yield folder
                continue
            for entry in entries:
                if entry.is_dir():
                    folders += self._to_enter(entry)
                elif self._is_model(entry):
                    yield Path(entry.path)
                else:
                    self.others += 1

    def _to_enter(self, entry: os.DirEntry[str]) -> list[Path]:
        """Return the folder, unless its name begins with a dot, or the walk comes to it anyway."""
        if entry.name.startswith("."):
            self.hidden += 1
            return []
        folder = Path(entry.path)
        if entry.is_symlink():
            target = folder.resolve()
            if target in self._seen or self._root in target.parents or target in self._root.parents:
                return []
            self._seen.add(target)
        return [folder]

    def _is_model(self, entry: os.DirEntry[str]) -> bool:
        path, name = Path(entry.path), entry.name.lower()
        if name.endswith(_ARCHIVE):
            return True
        is_meant = name.endswith(KERAS_SUFFIXES) and not name.endswith(WEIGHTS_SUFFIX)
        try:
            if not is_meant and not (entry.is_file() and may_be_keras(path)):
                return False
            self._look(path)
        except NoModelError:
            return False
        except (UnreadableError, OSError):
            return is_meant
        return True


def _is_model_folder(folder: Path, entries: list[os.DirEntry[str]]) -> bool:
    return folder.suffix == _ARCHIVE or any(entry.name in _SAVED_MODEL for entry in entries)
