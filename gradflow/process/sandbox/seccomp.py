"""Allow this process the system calls that a computation makes, and no others (Linux on x86-64 and
arm64).

``system_calls.tsv`` has the rule of each call. What is refused fails with EPERM, as for a user who
may not, and what this list is too old to know with ENOSYS, as on an older kernel: it ends no
process, and libraries have another way.

Source: linux/seccomp.h, linux/filter.h, linux/audit.h, linux/prctl.h, linux/sched.h, asm/ioctls.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from gradflow.process.sandbox.libc import libc
from gradflow.process.sandbox.system_calls import MACHINES, Rule, numbers

_NO_NEW_PRIVS, _GET_SECCOMP = 38, 21
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_FILTER, _ALL_THREADS = 1, 1
"""SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC."""
_LOAD, _RETURN, _AND = 0x20, 0x06, 0x54
_EQUAL, _ABOVE, _AT_LEAST, _ANY_BIT = 0x15, 0x25, 0x35, 0x45
_ALLOW, _REFUSE, _MISSING = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in ``struct seccomp_data``; both machines are little-endian."""
_X32 = 0x40000000
"""The numbers from here on are x86-64's second set of calls."""
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_* of linux/audit.h."""

_THREAD, _NEW_NAMESPACES = 0x00010000, 0x7E020000
"""CLONE_THREAD, and all of CLONE_NEW*."""
_ACCESS, _TRUNCATE = 0o3, 0o1000
"""O_ACCMODE and O_TRUNC: before ABI 3, Landlock lets a file be cut that is opened for reading."""
_LOCAL, _STREAM, _KIND = 1, 1, 0xF
"""AF_UNIX, SOCK_STREAM, and the bits of a type of sockets without its flags."""
_FCNTL = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC: no signals, leases or locks."""
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: nothing changes a file."""
_PRCTL = (3, 4, 15, 16, 21, 23, 30, 38, 39, 41, 42, 51, 64, 0x53564D41)
"""PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ,
PR_GET_TIMERSLACK, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_THP_DISABLE,
PR_GET_THP_DISABLE, PR_SVE_GET_VL, PR_SME_GET_VL, PR_SET_VMA: the end with the parent stays."""

_NOT_A_PROCESS = 0xFFFFFFFF
"""A number that no process has, and that is nowhere else in a program."""
_NUMBERED = struct.Struct("<I")

_Code = list[bytes]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def forbid_new_privileges() -> bool:
    """Set ``PR_SET_NO_NEW_PRIVS``, which Landlock and seccomp ask for. False where the kernel
    cannot do it."""
    return int(_prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)) == 0


def is_supported() -> bool:
    """Whether the calls of this machine are known and its kernel can filter them."""
    is_known = os.uname().machine in MACHINES and struct.calcsize("P") == 8
    return is_known and int(_prctl(_GET_SECCOMP, 0, 0, 0, 0)) >= 0


def refuse_calls() -> bool:
    """Allow the calls of the table only, from here on and forever.

    ``forbid_new_privileges`` has to come before. False where the machine is no known one, or the
    kernel cannot do it.
    """
    if not is_supported():
        return False
    code = program_for(os.uname().machine, os.getpid())
    program = _Program(len(code) // 8, code)
    call = libc().syscall
    number = ctypes.c_long(_SECCOMP[os.uname().machine])
    flags = (ctypes.c_uint(_SET_FILTER), ctypes.c_uint(_ALL_THREADS))
    return int(call(number, *flags, ctypes.byref(program))) == 0


def program_for(machine: str, process: int) -> bytes:
    """Return the program of BPF for that machine, and a process of that number.

    All but the number is made once: a copy of this process has it already.
    """
    return _program(machine).replace(_NUMBERED.pack(_NOT_A_PROCESS), _NUMBERED.pack(process))


@cache
def _program(machine: str) -> bytes:
    return b"".join(_filter(machine, _NOT_A_PROCESS))


def _filter(machine: str, process: int) -> _Code:
    """Return the steps of that program."""
    calls = numbers(machine)
    code = [
        _step(_LOAD, _ARCHITECTURE),
        *_where(_EQUAL, _AUDIT[machine], [], otherwise=_refuse()),
        _step(_LOAD, _NUMBER),
        *_where(_AT_LEAST, _X32, _refuse()),
    ]
    for first, last in _ranges(calls[Rule.ALLOW]):
        code += _where(_AT_LEAST, first, _where(_ABOVE, last, [], otherwise=_allow()))
    for rule, checks in _CHECKS.items():
        for number in calls[rule]:
            code += _where(_EQUAL, number, checks(process))
    for number in calls[Rule.ABSENT]:
        code += _where(_EQUAL, number, [_step(_RETURN, _MISSING)])
    newest = max(number for listed in calls.values() for number in listed)
    return [*code, *_where(_ABOVE, newest, [_step(_RETURN, _MISSING)]), *_refuse()]


def _ranges(listed: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each row of numbers without a gap; they are in order."""
    rows: list[list[int]] = []
    for number in listed:
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    for row in rows:
        yield row[0], row[-1]


def _own(process: int) -> _Code:
    return _where_argument_in(0, (process,))


def _own_or_zero(process: int) -> _Code:
    return _where_argument_in(0, (process, 0))


def _thread(_: int) -> _Code:
    flags = _where(_ANY_BIT, _NEW_NAMESPACES, _refuse())
    return [_argument(0), *flags, *_where(_ANY_BIT, _THREAD, _allow()), *_refuse()]


def _open(flags: int) -> Callable[[int], _Code]:
    """Check the flags, which are the argument of that index."""

    def check(_: int) -> _Code:
        reading = [_step(_AND, _ACCESS), *_where(_EQUAL, 0, _refuse())]
        return [_argument(flags), *_where(_ANY_BIT, _TRUNCATE, reading), *_allow()]

    return check


def _pair(_: int) -> _Code:
    stream = [_argument(1), _step(_AND, _KIND), *_where(_EQUAL, _STREAM, _allow())]
    return [_argument(0), *_where(_EQUAL, _LOCAL, stream), *_refuse()]


def _send(_: int) -> _Code:
    """The address is a pointer: both of its halves are zero."""
    high = [_step(_LOAD, _ARGUMENTS + 4 * 8 + 4), *_where(_EQUAL, 0, _allow())]
    return [_argument(4), *_where(_EQUAL, 0, high), *_refuse()]


_CHECKS: Mapping[Rule, Callable[[int], _Code]] = MappingProxyType(
    {
        Rule.OPEN_AT: _open(2),
        Rule.OPEN: _open(1),
        Rule.THREAD: _thread,
        Rule.FCNTL: lambda _: _where_argument_in(1, _FCNTL),
        Rule.IOCTL: lambda _: _where_argument_in(1, _IOCTL),
        Rule.PRCTL: lambda _: _where_argument_in(0, _PRCTL),
        Rule.PAIR: _pair,
        Rule.SEND: _send,
        Rule.OWN: _own,
        Rule.OWN_OR_ZERO: _own_or_zero,
    }
)
"""What to run for a call of each rule, in a process of that number; it always returns."""


def _where_argument_in(index: int, values: Sequence[int]) -> _Code:
    code = [_argument(index)]
    for value in values:
        code += _where(_EQUAL, value, _allow())
    return [*code, *_refuse()]


def _argument(index: int) -> bytes:
    """Load the low half of an argument: the kernel takes no more of a number, a flag or a
    request."""
    return _step(_LOAD, _ARGUMENTS + index * 8)


def _where(test: int, value: int, then: _Code, otherwise: _Code | None = None) -> _Code:
    """Run ``then`` where the loaded value passes the test, else ``otherwise``; go on after them.
    Only one of the two can be anything."""
    other = otherwise or []
    return [_step(test, value, len(other), len(then)), *then, *other]


def _allow() -> _Code:
    return [_step(_RETURN, _ALLOW)]


def _refuse() -> _Code:
    return [_step(_RETURN, _REFUSE)]


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_so, if_not, value)


def _prctl(option: int, *arguments: int) -> int:
    call = libc().prctl
    return int(call(ctypes.c_int(option), *(ctypes.c_ulong(argument) for argument in arguments)))
