"""Limit the memory, the time and the writing of this process (POSIX; elsewhere there are no
limits)."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from pathlib import Path

from gradflow.lazy_dataclass import dataclass

_GB = 1 << 30
MAPPED = 2 * _GB
"""What the libraries of TensorFlow 2.21 map before a model is there, with room to spare (1.8 GB on
two cores)."""
_LEAST = 10 * _GB
"""A backward pass of a large network over a batch of four images takes several."""
_PER_CORE = 64 << 20
"""Stacks and heaps of the threads that TensorFlow starts, one pool or two for each core."""
_PER_BYTE = 16
"""Of the file: a weight, its gradient, and copies on the way; files can be compressed, too."""
_MOST_PACKED, _BLOCK = 8, 512
_OPEN_FILES = 4096
_WRITES = _GB
"""A compressed member of an archive is unpacked to be read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the process of one model may take."""

    memory: int
    """Bytes of address space."""
    seconds: int
    """Of all its threads together."""
    file: int
    """Bytes of one file."""


def limits_for(size: int, memory: int | None, seconds: float) -> Limits:
    """Return the limits for a model of ``size`` bytes; ``memory`` and ``seconds`` are what the user
    allows."""
    cores = os.cpu_count() or 1
    needed = _LEAST + cores * _PER_CORE + _PER_BYTE * size
    # The parent keeps the time; this ends a process that has lost its parent.
    processor = math.ceil(min(seconds, 1e6)) * cores + 10
    return Limits((memory or needed) + MAPPED, processor, _WRITES + 8 * size)


def impose(limits: Limits) -> None:
    """Hold this process, from here on, to ``limits``, and to a number of open files; it leaves no
    core file."""
    if sys.platform == "win32":
        return
    import resource

    values = {
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_CPU: limits.seconds,
        resource.RLIMIT_FSIZE: limits.file,
        resource.RLIMIT_CORE: 0,
        # What a pipe or a socket holds is memory that no other limit counts.
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    for kind, value in values.items():
        _, hard = resource.getrlimit(kind)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (least, least))
        except (ValueError, OSError):
            continue  # macOS knows RLIMIT_AS and refuses it


def size_of(path: Path) -> int:
    """Bytes of the file, or of all files of the folder, at ``path``, as far as the disk has them;
    links are not followed."""
    total, waiting = 0, [path]
    while waiting:
        path = waiting.pop()
        with contextlib.suppress(OSError):  # what is wrong with it is told when it is read
            if path.is_dir() and not path.is_symlink():
                waiting += path.iterdir()
            else:
                total += _held(path.lstat())
    return total


def _held(status: os.stat_result) -> int:
    """Bytes of a file; of a sparse one those on the disk. File systems can pack what they hold."""
    return min(status.st_size, _MOST_PACKED * getattr(status, "st_blocks", status.st_size) * _BLOCK)
