"""Tell when the files of models have changed, and are whole again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from gradflow.cli.output import CommandError
from gradflow.files.graph_file import model_of
from gradflow.files.own_function import function_at, is_function
from gradflow.files.remote import is_remote

R = TypeVar("R")
Stamps = frozenset[tuple[str, int, int, int]]
"""Of each file: its path, size, time of change and number on the disk."""
_PAUSE = 0.1
"""Seconds between two looks: asking works on network folders, where the system tells of nothing."""
_QUIET = 0.2
"""Seconds without a change, until a file counts as written."""
_PATIENCE = 2.0
"""The same, for a file that cannot be read: it may be half of one."""


def refuse_unwatched(models: Sequence[str]) -> None:
    """Raise CommandError for an address, whose changes nobody tells."""
    for path in models:
        if is_remote(path):
            raise CommandError(f"--watch: {path} is an address: give a file or a folder")


def stamps_of(paths: Sequence[str]) -> Stamps:
    """Return what changes with any file that ``paths`` stand for, or of the module of a
    function."""
    return frozenset(stamp for path in paths for stamp in _stamps(path))


def answers(
    look: Callable[[], Stamps],
    answer: Callable[[], R],
    is_unread: Callable[[R], bool],
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[R]:
    """Yield an answer for the files as they are, and one after each change of them; never ends.

    Args:
        look: tells the stamps of the files.
        answer: analyses them. An answer during which they changed is dropped.
        is_unread: whether an answer says that they cannot be read: more patience is had then.
        sleep: waits for some seconds.
    """
    answered: Stamps | None = None
    while True:
        stamps = look()
        if stamps == answered:
            sleep(_PAUSE)
            continue
        if answered is not None and not _stays(look, stamps, _QUIET, sleep):
            continue
        result = answer()
        if look() != stamps:
            continue
        if is_unread(result) and not _stays(look, stamps, _PATIENCE, sleep):
            continue
        answered = stamps
        yield result


def _stays(
    look: Callable[[], Stamps], stamps: Stamps, seconds: float, sleep: Callable[[float], object]
) -> bool:
    """Whether nothing changes for some seconds."""
    for _ in range(round(seconds / _PAUSE)):
        sleep(_PAUSE)
        if look() != stamps:
            return False
    return True


def _stamps(path: str) -> Iterator[tuple[str, int, int, int]]:
    for file in _files(_root(path)):
        with suppress(OSError):
            status = file.stat()
            yield str(file), status.st_size, status.st_mtime_ns, status.st_ino


def _root(path: str) -> Path:
    """Return the file or folder to look at: of a function, that of its module or package."""
    if is_function(path):
        top = Path(function_at(path).module.partition(".")[0])
        return top if top.is_dir() else top.with_suffix(".py")
    return model_of(Path(path))


def _files(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        yield from (Path(folder, name) for name in names)
