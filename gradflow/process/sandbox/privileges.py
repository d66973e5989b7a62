"""Give up what this process may do as root, or by capabilities (Linux).

Source: linux/capability.h, linux/prctl.h; capabilities(7), "Effect of user ID changes".
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

from gradflow.process.sandbox.libc import libc

_VERSION_3 = 0x20080522
_SET_SECURE_BITS, _KEEP_CAPABILITIES = 28, 1 << 2
"""PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP."""
_CHANGE_OWNER, _OVERRIDE, _READ_ANY, _KILL, _SET_GROUP, _SET_USER, _SET_SECURE = 0, 1, 2, 5, 6, 7, 8
_NEEDED = {
    _CHANGE_OWNER: "CAP_CHOWN",
    _OVERRIDE: "CAP_DAC_OVERRIDE",
    _KILL: "CAP_KILL",
    _SET_GROUP: "CAP_SETGID",
    _SET_USER: "CAP_SETUID",
}
"""To become another user, whom the parent can end and clean up after."""
_NOBODY = 65534
_MOST_FILES = 10_000
"""Files of a model whose rights are looked at."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("process", ctypes.c_int32))


class _Sets(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inherited"))


def give_up_root(scratch: Path, needed: Sequence[str], modules: Sequence[str]) -> str:
    """Become nobody where this process, which must have one thread, is root; drop all capabilities.

    Args:
        scratch: the folder that it still has to write to.
        needed: files and folders that it still has to read, with all that is in them.
        modules: folders of modules that it still has to import.

    Returns:
        What it could not give up and why; empty where it has nothing any more.
    """
    if os.geteuid() != 0:
        _hold(frozenset())
        return ""
    rights = _held()
    lacking = sorted(name for number, name in _NEEDED.items() if number not in rights)
    if lacking:
        return _stay(f"it has no {lacking[0]}")
    user, group = _nobody()
    groups = os.getgroups()
    try:
        os.chown(scratch, user, group)
        os.setgroups([])
        os.setegid(group)
        os.seteuid(user)
    except OSError as error:
        _return_to_root(scratch, groups)
        return _stay(f"user {user} cannot be used here ({error.strerror})")
    unread = _unreadable(needed, modules, all_of_many=True)
    if unread is not None:
        _hold(frozenset({_READ_ANY}), rights & {*_NEEDED, _READ_ANY, _SET_SECURE})
        still = _unreadable(needed, modules, all_of_many=False)
        if still is not None:
            _return_to_root(scratch, groups)
            return _stay(f"only root can read {still}")
    os.seteuid(0)
    if unread is not None and not _keep_capabilities():
        _return_to_root(scratch, groups)
        return _stay(f"only root can read {unread}")
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    _hold(frozenset() if unread is None else frozenset({_READ_ANY}))
    if unread is None:
        return ""
    return f"it may read every file, since user {user} cannot read {unread}"


def unread_by_nobody(modules: Sequence[str]) -> str | None:
    """Return what the user that ``give_up_root`` becomes cannot read of these folders; None where
    there is nothing, or this process does not become another user. Another process looks."""
    if os.geteuid() != 0:
        return None
    user, group = _nobody()  # copies of this process have it then
    answer, tell = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
            os.write(tell, os.fsencode(_unreadable((), modules, all_of_many=False) or ""))
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(answer, "rb") as stream:
        path = os.fsdecode(stream.read())
    os.waitpid(process, 0)
    return path or None


def _stay(reason: str) -> str:
    """Remain root, which owns files: it may read those of others as before, and nothing more."""
    _hold(_held() & {_READ_ANY})
    return f"it stays root: {reason}"


def _keep_capabilities() -> bool:
    """Keep them where the user changes, and let access(2), by which TensorFlow looks whether there
    is a file, go by them."""
    call = libc().prctl
    return int(call(_SET_SECURE_BITS, ctypes.c_ulong(_KEEP_CAPABILITIES), 0, 0, 0)) == 0


def _return_to_root(scratch: Path, groups: Sequence[int]) -> None:
    os.seteuid(0)
    os.setegid(os.getgid())
    with contextlib.suppress(OSError):
        os.setgroups(groups)
        os.chown(scratch, 0, os.getgid())  # whose rights count, without capabilities


@cache
def _nobody() -> tuple[int, int]:
    import pwd

    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return _NOBODY, _NOBODY
    return entry.pw_uid, entry.pw_gid


def _unreadable(needed: Iterable[str], modules: Iterable[str], *, all_of_many: bool) -> str | None:
    """Return the first of the files and folders that this process, as it is now, cannot read; the
    path of a folder with more files than are looked at counts as one where ``all_of_many``."""
    try:
        for path in needed:
            number = sum(1 for _ in islice(_below(path), _MOST_FILES + 1))
            if all_of_many and number > _MOST_FILES:
                return path
        for folder in modules:
            package = _closed_package(folder)
            if package is not None:
                return package
    except PermissionError as error:
        return str(error.filename)
    return None


def _closed_package(folder: str) -> str | None:
    """Return the first package in a folder of modules whose modules cannot be read.

    Raises:
        PermissionError: the folder cannot be read.
    """
    rights = os.R_OK | os.X_OK
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir() and not os.access(entry.path, rights, effective_ids=True):
                return entry.path
    return None


def _below(path: str) -> Iterator[str]:
    """Open the file, or all files of the folder, and yield the path of each.

    Raises:
        PermissionError: it cannot be read.
    """
    waiting = [path]
    while waiting:
        path = waiting.pop()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            kind = Path(path).stat().st_mode
            if stat.S_ISREG(kind):
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            elif stat.S_ISDIR(kind):
                with os.scandir(path) as entries:
                    waiting += [entry.path for entry in entries if _counts(entry)]
            yield path


def _counts(entry: os.DirEntry[str]) -> bool:
    """Whether what a folder holds is a file or a folder, and no link to a folder."""
    return not entry.is_symlink() or entry.is_file()


def _held() -> frozenset[int]:
    """Return the capabilities that are in effect."""
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()
    if libc().capget(ctypes.byref(header), sets) != 0:
        return frozenset()
    words = sets[0].effective | sets[1].effective << 32
    return frozenset(number for number in range(64) if words >> number & 1)


def _hold(effective: frozenset[int], permitted: frozenset[int] | None = None) -> None:
    """Have these capabilities in effect, and no others that could be (``permitted`` says which)."""
    sets = (_Sets * 2)()
    for number in effective:
        sets[number // 32].effective |= 1 << number % 32
    for number in effective if permitted is None else permitted:
        sets[number // 32].permitted |= 1 << number % 32
    libc().capset(ctypes.byref(_Header(_VERSION_3, 0)), sets)
