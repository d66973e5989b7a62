"""Hold the records that are open, and find the line of the user's that is being run."""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from gradflow.files.frames import Frame, user_source
from gradflow.tape.op_origins import LIBRARIES
from gradflow.tape.private_api import extract_stack
from gradflow.tape.watching import functions
from gradflow.tape.watching.recorder import Record

records: list[Record] = []
"""Those that are open, the first one first."""
analysis = functions.Analysis()
"""Whether a function is being traced for the report."""
_is_users: dict[Any, bool] = {}
"""Whether a code object is the user's own."""


def user_frames() -> list[Frame]:
    """Return the innermost line of the user's own code that is being run."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        is_users = _is_users.get(code)
        if is_users is None:
            is_users = user_source([(code.co_filename, 1)], LIBRARIES) is not None
            _is_users[code] = is_users
        if is_users:
            return [(code.co_filename, frame.f_lineno)]
        frame = frame.f_back  # type: ignore[assignment]  # None ends it
    return []


def user_line() -> str | None:
    """Return the user's file and line that is being run or traced."""
    if tf.executing_eagerly():
        return user_source(user_frames(), LIBRARIES)
    frames = [(frame.filename, frame.lineno) for frame in extract_stack()]
    return user_source(frames, LIBRARIES)
