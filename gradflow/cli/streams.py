"""Live with standard streams that are closed or cannot be written."""

from __future__ import annotations

import errno
import os
import sys


def open_closed_streams() -> None:
    """Put something in the place of each standard stream that is closed (``gradflow ... >&-``).

    Otherwise the next file that is opened takes its number, and what is printed goes there. What
    goes to a closed stderr is lost; a report for a closed stdout is an error like that of a full
    disk.
    """
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            flags = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            handle = os.open(os.devnull, flags)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            stream = os.fdopen(number, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)


def is_of_a_stream(error: OSError) -> bool:
    """Return whether printing has failed, and not a file that has a name."""
    return error.filename is None and error.errno in (errno.EBADF, errno.ENOSPC, errno.EIO)


def leave_stdout() -> None:
    """Drop what is still buffered: it would be written, and fail, once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
