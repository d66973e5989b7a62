"""Forbid this process a list of system calls (Linux on x86-64 and arm64).

What is left out of the lists is allowed: this is the second of two limits, and TensorFlow, OpenMP
and Python make many calls of many kinds. Each call that is refused fails with EPERM, as for a user
who may not.

Source: linux/seccomp.h, linux/filter.h, linux/audit.h; the numbers are those of
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h, Linux 6.12.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _MISSING = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in ``struct seccomp_data``; of an argument, its low half (both machines are
little-endian)."""
_X32 = 0x40000000
"""The numbers from here on are x86-64's second set of calls."""
_THREAD = 0x00010000
"""CLONE_THREAD: what ``clone`` starts is a thread of this process."""

# name -> number on x86-64, on arm64; None where the machine does not have it
_SENDS = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept4": (288, 242),
}
_STARTS = {"execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None)}
_REACHES_OTHERS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "tkill": (200, 130),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "perf_event_open": (298, 241),
}
_CHANGES_OWNERS = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
}
"""Landlock does not look at these."""
_STAYS_BEHIND = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "mknod": (133, None),
    "mknodat": (259, 33),
}
"""Queues, memory and pipes that others find, also those that are there: their numbers can be
guessed."""
_CHANGES_THE_MACHINE = {
    "io_uring_setup": (425, 425),  # its calls pass no filter
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "mount_setattr": (442, 442),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "name_to_handle_at": (303, 264),
    "fsopen": (430, 430),
    "open_tree": (428, 428),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "acct": (163, 89),
}
REFUSED: Mapping[str, tuple[int | None, int | None]] = MappingProxyType(
    {
        **_SENDS,
        **_STARTS,
        **_REACHES_OTHERS,
        **_CHANGES_OWNERS,
        **_STAYS_BEHIND,
        **_CHANGES_THE_MACHINE,
    }
)
"""Refused whatever their arguments are."""
_OWN = {"kill": (62, 129), "tgkill": (234, 131)}
"""Allowed for this very process only: ``abort`` needs that."""
_OWN_OR_ZERO = {"prlimit64": (302, 261)}
"""Allowed for this very process, which it also knows by the number 0."""
_CLONE, _CLONE3 = (56, 220), (435, 435)


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int
    """AUDIT_ARCH_* of linux/audit.h."""
    column: int
    """Of the numbers above."""


_MACHINES = {"x86_64": _Machine(0xC000003E, 0), "aarch64": _Machine(0xC00000B7, 1)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def forbid_new_privileges() -> bool:
    """Set ``PR_SET_NO_NEW_PRIVS``, which Landlock and seccomp ask for. False where the kernel
    cannot do it."""
    return int(_prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)) == 0


def refuse_calls() -> bool:
    """Refuse the calls of ``REFUSED``, and to start or to signal another process, from here on and
    forever.

    ``forbid_new_privileges`` has to come before. False where the machine is no known one, or the
    kernel cannot do it.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:
        return False
    code = _filter(machine, os.getpid())
    program = _Program(len(code) // 8, code)
    return int(_prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(program), 0, 0)) == 0


def _filter(machine: _Machine, process: int) -> bytes:
    """Return a program of BPF; each jump is over the next one or two instructions."""
    own, own_or_zero = _numbers(_OWN, machine), _numbers(_OWN_OR_ZERO, machine)
    clone, clone3 = _CLONE[machine.column], _CLONE3[machine.column]
    code = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, machine.audit, 1, 0),
        _step(_RETURN, _REFUSE),
        _step(_LOAD, _NUMBER),
    ]
    code += [_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _REFUSE)]
    for number in _numbers(REFUSED, machine):
        code += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _REFUSE)]
    # Its flags are in memory, where no filter can look: the C library falls back to clone.
    code += [_step(_EQUAL, clone3, 0, 1), _step(_RETURN, _MISSING)]
    code += [
        _step(_EQUAL, clone, 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_ANY_BIT, _THREAD, 0, 1),
    ]
    code += [_step(_RETURN, _ALLOW), _step(_RETURN, _REFUSE)]
    for number in own:
        code += [
            _step(_EQUAL, number, 0, 4),
            _step(_LOAD, _FIRST_ARGUMENT),
            _step(_EQUAL, process, 0, 1),
        ]
        code += [_step(_RETURN, _ALLOW), _step(_RETURN, _REFUSE)]
    for number in own_or_zero:
        code += [
            _step(_EQUAL, number, 0, 5),
            _step(_LOAD, _FIRST_ARGUMENT),
            _step(_EQUAL, process, 1, 0),
        ]
        code += [_step(_EQUAL, 0, 0, 1), _step(_RETURN, _ALLOW), _step(_RETURN, _REFUSE)]
    return b"".join([*code, _step(_RETURN, _ALLOW)])


def _numbers(
    calls: Mapping[str, tuple[int | None, int | None]], machine: _Machine
) -> Iterable[int]:
    return [
        number
        for by_machine in calls.values()
        if (number := by_machine[machine.column]) is not None
    ]


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_so, if_not, value)


def _prctl(option: int, *arguments: int) -> int:
    call = ctypes.CDLL(None, use_errno=True).prctl
    return int(call(ctypes.c_int(option), *(ctypes.c_ulong(argument) for argument in arguments)))
