"""Forbid this process to change any file outside of a folder (Linux 5.13 and later).

Source: linux/landlock.h, ABI 1 (Linux 5.13) to 6 (Linux 6.12);
Documentation/userspace-api/landlock.rst. A later ABI only adds to these.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from gradflow.process.sandbox.libc import libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same numbers on every architecture."""
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_WRITE_FILE = 1 << 1
_EXECUTE = 1 << 0
_CHANGES = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
"""Write, remove and make files of every kind."""
_LATER = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""Rights by the ABI that added them: to link across folders, to truncate, and the ioctls of
devices."""
_TCP = 0b11
"""To bind and to connect, from ABI 4."""
_SCOPES = 0b11
"""To reach abstract sockets and to signal processes outside, from ABI 6."""
_O_PATH = getattr(os, "O_PATH", 0)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def abi() -> int:
    """Return the version of Landlock that the kernel has; 0 where it has none."""
    return max(
        0,
        int(
            libc().syscall(
                _CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG)
            )
        ),
    )


def restrict_changes(folder: Path, version: int) -> bool:
    """Let this thread, and those that it starts, change files in ``folder`` only, connect nowhere
    and start nothing, as far as that ABI can.

    ``PR_SET_NO_NEW_PRIVS`` has to be set before. Reading is not restricted. False where the kernel
    cannot do it.
    """
    if not version:
        return False
    changes = _CHANGES | sum(right for since, right in _LATER.items() if version >= since)
    rules = _Ruleset(
        changes | _EXECUTE, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0
    )
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = int(
        libc().syscall(
            _CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0)
        )
    )
    if ruleset < 0:
        return False
    try:
        _allow(ruleset, folder, changes)
        _allow(ruleset, Path(os.devnull), _WRITE_FILE)
        return int(libc().syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))) == 0
    finally:
        os.close(ruleset)


def _allow(ruleset: int, folder: Path, rights: int) -> None:
    handle = os.open(folder, _O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(rights, handle)
        libc().syscall(
            _ADD_RULE,
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(handle)
