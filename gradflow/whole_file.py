"""Write a file whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path


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
