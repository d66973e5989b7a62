"""Measure what the process of a model has written, so that it cannot fill the disk file by file."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import IO

_BLOCK = 512
_ENTRY = 64 << 10
"""What a name counts at least: files without content take room too, and time to remove."""


def is_more_written(most: int, folder: str, process: int | None, log: IO[bytes]) -> bool:
    """Whether there are more than ``most`` bytes in ``folder``, in ``log``, and in the files
    without a name that ``process`` holds open."""
    total, seen = 0, set[tuple[int, int]]()
    for status in (*_of_log(log), *_without_name(process)):
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += _size(status)
    for status in _below(folder):
        if total > most:
            break
        total += max(_size(status), _ENTRY)
    return total > most


def _size(status: os.stat_result) -> int:
    return int(getattr(status, "st_blocks", 0)) * _BLOCK


def _of_log(log: IO[bytes]) -> Iterator[os.stat_result]:
    with contextlib.suppress(OSError, ValueError):
        status = os.fstat(log.fileno())
        if stat.S_ISREG(status.st_mode):
            yield status


def _without_name(process: int | None) -> Iterator[os.stat_result]:
    """Yield what a process holds open after it has removed its name (Linux)."""
    handles = f"/proc/{process}/fd"
    with contextlib.suppress(OSError), os.scandir(handles) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat()
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    yield status


def _below(folder: str) -> Iterator[os.stat_result]:
    """Yield all that is below a folder; what goes away meanwhile, and what is deeper than a path
    can be, is left out."""
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
