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
_SETTLED = 60.0
"""Seconds from a folder's making until it is locked, at most."""


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Make a folder that is removed at the end, whatever a model has made of it.

    What a process that was killed has left is removed by the next one: a folder of a living process
    is locked, also for those that do not see its number (containers that share /tmp).
    """
    _remove_what_was_left()
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder,
        _locked(folder),
    ):
        yield folder


@contextmanager
def _locked(folder: str) -> Iterator[bool]:
    """Hold the lock of ``folder``; whether nobody else holds it."""
    if fcntl is None:
        yield False
        return
    handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
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
            shutil.rmtree(folder, ignore_errors=True)
