"""Confine this process to a scratch folder: no other file changed, no connection, no program, no
process.

Reading is not restricted: Python, TensorFlow and the user's modules can lie anywhere. Best effort:
it needs Linux, and what the kernel does not have is left out and named.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gradflow.process.sandbox.landlock import abi, restrict_changes
from gradflow.process.sandbox.libc import libc
from gradflow.process.sandbox.seccomp import forbid_new_privileges, refuse_calls

_LOST_PARENT, _SIGKILL = 1, 9
"""PR_SET_PDEATHSIG."""


def confine(scratch: Path, landlock: int | None = None) -> tuple[str, ...]:
    """Confine this process, which must have one thread, forever. Return what the system has no
    means for.

    Args:
        scratch: the folder that it can still write to.
        landlock: confine as a kernel with this ABI of Landlock would; by default with all there is.
    """
    if sys.platform != "linux":
        return ("landlock", "seccomp")
    if not forbid_new_privileges():
        return ("landlock", "seccomp")
    version = abi() if landlock is None else landlock
    limits = {"landlock": restrict_changes(scratch, version), "seccomp": refuse_calls()}
    return tuple(name for name, is_set in limits.items() if not is_set)


def as_nobody(scratch: Path, folder: Path, needed: Sequence[str], modules: Sequence[str]) -> str:
    """Give up what this process may do as root or by capabilities; return what it keeps and why.

    Args:
        scratch: of the parent; it holds ``folder``, which this process still has to write to.
        folder: see above.
        needed: files and folders that it still has to read.
        modules: folders of modules that it still has to import.
    """
    if sys.platform != "linux":
        return ""
    from gradflow.process.sandbox.privileges import give_up_root

    if os.geteuid() == 0:
        scratch.chmod(0o711)
    return give_up_root(folder, needed, modules)


def needed_of(modules: Sequence[str]) -> list[str]:
    """Return what of these folders of modules each copy of this process has to look at in
    ``as_nobody``: what nobody can read need not be looked at again, and one path that nobody cannot
    read says as much as all of them."""
    if sys.platform != "linux":
        return []
    from gradflow.process.sandbox.privileges import unread_by_nobody

    path = unread_by_nobody(modules)
    return [] if path is None else [path]


def end_with_parent() -> None:
    """End this process when the thread that started it ends (Linux)."""
    if sys.platform == "linux":
        libc().prctl(ctypes.c_int(_LOST_PARENT), ctypes.c_ulong(_SIGKILL), 0, 0, 0)
