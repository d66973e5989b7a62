"""A fork server whose copies do what the name of the file says, in place of reading it."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradflow.findings.wire import encode
from gradflow.process import child, fork_server

BOOT = "from tests.process.neighbours import main; main({tape})"


def _send(request: Any, tell: Any, read: Callable[..., Any], times: int) -> None:
    """Send the right answer before it is due."""
    result, tool = read(request, tell)
    for _ in range(times):
        tell.send(answer=encode(result), tool=encode(tool))


def _map(*_: object) -> None:
    """Take 3 GB of addresses, and no memory."""
    try:
        mmap.mmap(-1, 3 << 30).close()
    except OSError as error:
        raise MemoryError from error


DOES: dict[str, Callable[..., object]] = {
    "aborts": lambda *_: os.abort(),
    "leaves": lambda *_: os._exit(0),
    "hangs": lambda *_: time.sleep(60),
    "eats": lambda *_: bytearray(40 << 30),
    "maps": _map,
    "fails": lambda *_: 1 / 0,
    "writes": lambda *_: Path("..", "mark").write_text("x"),
    "shuts": lambda request, tell, read: (os.close(tell.pipe.fileno()), time.sleep(60)),
    "floods": lambda request, tell, read: [tell("read") for _ in range(2000)],
    "babbles": lambda request, tell, read: tell.pipe.write("[]\n"),
    "twice": lambda request, tell, read: _send(request, tell, read, 1),
    "often": lambda request, tell, read: _send(request, tell, read, 5),
}
"""By the name of the file: what happens before it is read."""


def main(with_tape: bool) -> None:
    """Be that server."""
    for purpose, read in tuple(child._ANSWERS.items()):

        def answer(request: Any, tell: Any, read: Callable[..., Any] = read) -> Any:
            act = DOES.get(Path(request.path).stem)
            if act is not None:
                act(request, tell, read)
            return read(request, tell)

        child._ANSWERS[purpose] = answer
    fork_server.main(with_tape)
