"""Find what in a SavedModel's folder is neither a file nor a folder; nothing is opened, and no link
is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gradflow.scan.threat import Threat
from gradflow.text import shown

_KINDS = (
    (stat.S_ISLNK, "link", "points to another place, whose files would be read"),
    (stat.S_ISFIFO, "pipe", "keeps whoever opens it waiting"),
    (stat.S_ISSOCK, "socket", "is no file"),
    (stat.S_ISBLK, "device", "is no file"),
    (stat.S_ISCHR, "device", "is no file"),
)


def strange_files(folder: Path) -> Iterator[Threat]:
    """Yield what is no plain file or folder below ``folder``."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            items = sorted(entries, key=lambda entry: entry.name)
        for entry in items:
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                waiting.append(Path(entry.path))
            for is_kind, kind, harm in _KINDS:
                if is_kind(mode):
                    shown_path = shown(Path(entry.path).relative_to(folder).as_posix())
                    yield Threat(f"{kind} {shown_path!r}", "the model's folder", harm)
