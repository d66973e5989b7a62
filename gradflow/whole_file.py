"""Write a file whole or not at all, and read one that is no larger than gradflow can hold."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

_MOST_READ = 1 << 29
"""Bytes of a report or a baseline: 100,000 weights take 60 MB, and ten times that in memory."""


def read_whole(path: Path) -> str:
    """Return the text of a file that gradflow wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than any that gradflow wrote, or is not UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(_MOST_READ + 1)
    if len(content) > _MOST_READ:
        raise ValueError(f"more than {_MOST_READ >> 20} MB")
    return content.decode("utf-8")


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` so that nobody ever sees a part of it.

    A link stays a link, and the file keeps its permissions. What is no regular file (a pipe,
    /dev/stdout) is written to, not replaced.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    target = path.resolve()
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
