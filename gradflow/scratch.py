"""Make folders that are gone when their process is, however that ends."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked and so nothing is removed later
    fcntl = None  # type: ignore[assignment]  # a module elsewhere

_PREFIX = "gradflow-run-"
_NAME = re.compile(rf"{_PREFIX}\w{{8}}")
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_SETTLED = 60.0
"""Seconds from a folder's making until it is locked, at most."""


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Make a folder that is removed at the end, whatever a model has made of it.

    What a process that was killed has left is removed by the next one: a folder of a living process
    is locked, also for those that do not see its number (containers that share /tmp).
    """
    _remove_what_was_left()
    folder = tempfile.mkdtemp(prefix=_PREFIX)
    try:
        with _locked(folder):
            yield folder
    finally:
        remove(folder)


def remove(folder: str) -> None:
    """Remove a folder with all that is in it, as far as that can be.

    A model can have made folders below folders, without a limit, and without rights for their
    owner. So each is moved to the top before it is looked into: no path is longer than a name. Only
    handles are followed, never a link that somebody puts in the place of a folder.
    """
    if os.scandir not in os.supports_fd:
        shutil.rmtree(folder, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        top = os.open(folder, _FOLDER)
        try:
            waiting = _emptied(top, top)
            while waiting:
                with contextlib.suppress(OSError):
                    name = waiting.pop()
                    handle = os.open(name, _FOLDER, dir_fd=top)
                    try:
                        waiting += _emptied(handle, top)
                    finally:
                        os.close(handle)
                    os.rmdir(name, dir_fd=top)
        finally:
            os.close(top)
        Path(folder).rmdir()


def _emptied(folder: int, top: int) -> list[str]:
    """Empty a folder: its files are removed, its folders moved to ``top``. Return their new
    names."""
    with os.scandir(folder) as scanned:
        entries = list(scanned)
    names = []
    for entry in entries:
        with contextlib.suppress(OSError):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=folder)
                continue
            if os.geteuid() != 0:  # who may enter it anyway
                os.chmod(entry.name, 0o700, dir_fd=folder)
            name = os.urandom(16).hex()
            os.rename(entry.name, name, src_dir_fd=folder, dst_dir_fd=top)
            names.append(name)
    return names


@contextmanager
def _locked(folder: str) -> Iterator[bool]:
    """Hold the lock of ``folder``; whether nobody else holds it."""
    if fcntl is None:
        yield False
        return
    handle = os.open(folder, _FOLDER)
    try:
        is_ours = False
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = True
        yield is_ours
    finally:
        os.close(handle)


@cache
def _remove_what_was_left() -> None:
    """Remove the folders of this user that no living process holds; once in a process."""
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).iterdir():
            if _NAME.fullmatch(folder.name):
                with contextlib.suppress(OSError):
                    _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    status = folder.lstat()
    if status.st_uid != os.getuid() or time.time() - status.st_mtime < _SETTLED:
        return
    with _locked(str(folder)) as is_left:
        if is_left:
            remove(str(folder))
