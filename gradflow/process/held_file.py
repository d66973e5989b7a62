"""Open a model once, so that whatever is put in its place later is not what is loaded (Linux)."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

from gradflow.files.graph_file import GRAPH_FILE, model_of
from gradflow.process.request import Request

_FOLDER = "opened"


def held(request: Request, scratch: Path) -> Request:
    """Return the request about what is at its path now, by a path that stays that file or folder.

    The scan, the reading and each library that opens the path once more come to the same file,
    even where somebody renames it or a folder around it in the meantime. What is written into it
    is told by ``ModelFile.refuse_change``. Where the system has no such paths, or the file cannot
    be opened, the request stays as it is.

    Args:
        request: about one model file.
        scratch: a folder of this process, which the model cannot write to.
    """
    handle = opened(model_of(Path(request.path)))
    if handle is None:
        return request
    folder = scratch / _FOLDER
    folder.mkdir()
    folder.chmod(0o755)  # for whoever this process becomes
    return held_by(handle, request, folder)


def held_by(handle: int, request: Request, folder: Path) -> Request:
    """Return the request about what ``handle`` has opened, which a link in ``folder`` names."""
    path = Path(request.path)
    is_graph = path.name == GRAPH_FILE
    model = model_of(path)
    link = folder / (model.name if model.name.strip(".") else "model")
    link.symlink_to(f"/proc/self/fd/{handle}")
    if not link.exists():  # no /proc
        return request
    stays = link / GRAPH_FILE if is_graph else link
    shown = dict(request.names)
    names = [(str(stays), shown[request.path])]
    if is_graph:
        names.append((str(link), shown[str(model)]))
    return replace(request, path=str(stays), names=(*request.names, *names))


def opened(path: Path) -> int | None:
    """Open a file or a folder until somebody closes the handle; None where it cannot be opened."""
    if sys.platform != "linux":
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    kind = os.fstat(handle).st_mode
    if stat.S_ISREG(kind) or stat.S_ISDIR(kind):
        return handle
    os.close(handle)
    return None
