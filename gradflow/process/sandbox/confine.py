"""Confine this process to a scratch folder: no other file changed, no connection, no program, no
process.

Reading is not restricted: Python, TensorFlow and the user's modules can lie anywhere. Best effort:
it needs Linux, and what the kernel does not have is left out and named.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gradflow.process.sandbox.landlock import restrict_changes
from gradflow.process.sandbox.seccomp import forbid_new_privileges, refuse_calls

_LOST_PARENT, _SIGKILL = 1, 9
"""PR_SET_PDEATHSIG."""


def confine(scratch: Path) -> tuple[str, ...]:
    """Confine this process, which must have one thread, forever. Return what the system has no
    means for."""
    if sys.platform != "linux":
        return ("landlock", "seccomp")
    if not forbid_new_privileges():
        return ("landlock", "seccomp")
    limits = {"landlock": restrict_changes(scratch), "seccomp": refuse_calls()}
    return tuple(name for name, is_set in limits.items() if not is_set)


def end_with_parent() -> None:
    """End this process when the thread that started it ends (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(ctypes.c_int(_LOST_PARENT), ctypes.c_ulong(_SIGKILL), 0, 0, 0)
