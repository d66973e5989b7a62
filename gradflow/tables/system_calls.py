"""Write the table of system calls of gradflow/process/sandbox/ from the headers of Linux.

Usage: ``python -m gradflow.tables.system_calls``. The names below were taken from what the models
and the tests of gradflow call (``strace -f`` of an audit, of the hostile models and of random ones,
TensorFlow 2.21), with what the C library calls in their place on other machines and versions.

Source: asm/unistd_64.h of x86-64, asm-generic/unistd.h of arm64.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gradflow.process.sandbox import system_calls
from gradflow.process.sandbox.system_calls import Rule

_HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
_DEFINED = re.compile(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", re.MULTILINE)
_OTHER_NAMES = {"fstatat": "newfstatat"}
_NO_CALLS = re.compile(
    r"\w*time64\w*|syscalls|arch_specific_syscall|sync_file_range2|semtimedop_.*"
)
"""What the header defines for machines of 32 bits, and what is no call."""

ALLOWED = {
    "files, which Landlock holds": """
        read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 lseek close
        close_range creat stat fstat lstat newfstatat statx access faccessat faccessat2 readlink
        readlinkat getcwd chdir fchdir getdents getdents64 dup dup2 dup3 pipe pipe2 mkdir mkdirat
        rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat ftruncate
        fallocate fsync fdatasync sync_file_range fadvise64 readahead statfs fstatfs sendfile
        copy_file_range umask getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr""",
    "memory": """
        brk mmap munmap mremap mprotect madvise msync mincore mlock mlock2 munlock mlockall
        munlockall mbind get_mempolicy set_mempolicy membarrier pkey_mprotect pkey_alloc pkey_free
        map_shadow_stack mseal""",
    "threads and time": """
        futex futex_waitv futex_wake futex_wait futex_requeue set_robust_list set_tid_address rseq
        arch_prctl gettid getpid getppid sched_yield sched_getaffinity sched_getparam
        sched_getscheduler sched_getattr sched_get_priority_max sched_get_priority_min
        sched_rr_get_interval getcpu exit exit_group restart_syscall nanosleep clock_nanosleep
        clock_gettime clock_getres gettimeofday time times getitimer setitimer alarm timer_create
        timer_settime timer_gettime timer_getoverrun timer_delete timerfd_create timerfd_settime
        timerfd_gettime""",
    "signals of its own": """
        rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
        sigaltstack pause signalfd signalfd4 eventfd eventfd2 wait4 waitid""",
    "waiting": """
        poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait
        epoll_pwait2""",
    "what it is and what there is": """
        getuid geteuid getgid getegid getgroups getresuid getresgid getpgid getpgrp getsid
        getpriority ioprio_get getrlimit setrlimit getrusage sysinfo uname capget getrandom""",
    "talk within itself": "recvfrom recvmsg shutdown getsockname getpeername getsockopt",
}
"""Allowed whatever their arguments are."""
BY_ARGUMENT = {
    Rule.THREAD: "clone",
    Rule.OPEN: "open",
    Rule.OPEN_AT: "openat",
    Rule.FCNTL: "fcntl",
    Rule.IOCTL: "ioctl",
    Rule.PRCTL: "prctl",
    Rule.PAIR: "socketpair",
    Rule.SEND: "sendto",
    Rule.OWN: "kill tgkill",
    Rule.OWN_OR_ZERO: "prlimit64 sched_setaffinity",
}
ABSENT = "clone3 openat2 io_uring_setup memfd_create memfd_secret pidfd_open inotify_init1"
"""What the C library and others use where there is it, and do without where not."""
NEWER = {
    "cachestat": 451,
    "fchmodat2": 452,
    "map_shadow_stack": 453,
    "futex_wake": 454,
    "futex_wait": 455,
    "futex_requeue": 456,
    "statmount": 457,
    "listmount": 458,
    "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460,
    "lsm_list_modules": 461,
    "mseal": 462,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
}
"""Calls that the headers need not have yet; they have one number on all machines."""


def defined(header: str) -> dict[str, int]:
    """Return the calls that the text of a header defines, and their numbers."""
    return {
        _OTHER_NAMES.get(name, name): int(number)
        for name, number in _DEFINED.findall(header)
        if not _NO_CALLS.fullmatch(name)
    }


def rules() -> dict[str, Rule]:
    """Return the rule of each call that is not refused."""
    allowed = " ".join(ALLOWED.values()).split()
    by_argument = {name: rule for rule, names in BY_ARGUMENT.items() for name in names.split()}
    return {
        **dict.fromkeys(allowed, Rule.ALLOW),
        **by_argument,
        **dict.fromkeys(ABSENT.split(), Rule.ABSENT),
    }


def table(headers: Mapping[str, str]) -> str:
    """Return the text of the table, from the text of the header of each machine."""
    numbers = {machine: {**defined(text), **NEWER} for machine, text in headers.items()}
    ruled = rules()
    names = sorted(set().union(*numbers.values()))
    missing = ruled.keys() - set(names)
    if missing:
        raise ValueError(f"no header defines {', '.join(sorted(missing))}")
    rows = [
        [
            name,
            *(str(numbers[machine].get(name, "")) for machine in system_calls.MACHINES),
            ruled.get(name, Rule.REFUSE).value,
        ]
        for name in names
    ]
    head = "# Written by python -m gradflow.tables.system_calls; system_calls.py reads it."
    lines = [head, "\t".join(["name", *system_calls.MACHINES, "rule"])]
    return "\n".join([*lines, *map("\t".join, rows), ""])


if __name__ == "__main__":
    texts = {machine: path.read_text(encoding="utf-8") for machine, path in _HEADERS.items()}
    system_calls.PATH.write_text(table(texts), encoding="utf-8")
