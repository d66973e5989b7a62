"""Tell how this machine confines the process of a model, and what the process could still do."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator

from gradflow.lazy_dataclass import dataclass
from gradflow.process.sandbox import landlock, seccomp

_KERNELS = {1: "5.13", 2: "5.19", 3: "6.2", 4: "6.7", 5: "6.10", 6: "6.12", 7: "6.15"}
"""The first Linux with each ABI of Landlock."""


@dataclass(frozen=True, slots=True)
class Means:
    """What this system has to confine a process with."""

    landlock: int
    """Its ABI; 0 where there is none."""
    seccomp: bool


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a process of a model could do to others."""

    words: str
    landlock: int | None
    """The ABI of Landlock from which it is closed; None for no ABI."""
    seccomp: bool
    """Whether a list of system calls closes it."""

    def closed_by(self, means: Means) -> tuple[str, ...]:
        """Return what closes it; nothing where it is open."""
        by_landlock = self.landlock is not None and means.landlock >= self.landlock
        by_seccomp = self.seccomp and means.seccomp
        return ("Landlock",) * by_landlock + ("seccomp",) * by_seccomp


CHANGES = Act("make, write, remove or move a file outside of its folder", 1, seccomp=False)
CUTS = Act("cut off a file that it can only read", 3, seccomp=True)
MARKS = Act("change rights, owner, times, attributes or flags of a file, or lock it", None, True)
PROGRAMS = Act("start a program", 1, seccomp=True)
PROCESSES = Act("start another process", None, seccomp=True)
CONNECTS = Act("connect by TCP", 4, seccomp=True)
SOCKETS = Act("reach anybody by other sockets: UDP, local, netlink", None, seccomp=True)
SIGNALS = Act("signal another process", 6, seccomp=True)
STEERS = Act("trace another process, or change its schedule or limits", None, seccomp=True)
LISTENS = Act("read the environment or the open files of another process", 1, seccomp=False)
REMAINS = Act("leave or reach queues, semaphores and memory of System V or POSIX", None, True)
MACHINE = Act("change mounts, namespaces, keys or the clock", None, seccomp=True)
ACTS = (
    CHANGES,
    CUTS,
    MARKS,
    PROGRAMS,
    PROCESSES,
    CONNECTS,
    SOCKETS,
    SIGNALS,
    STEERS,
    LISTENS,
    REMAINS,
    MACHINE,
)


def means_here() -> Means:
    """Return what this system has."""
    if sys.platform != "linux":
        return Means(0, seccomp=False)
    return Means(landlock.abi(), seccomp.is_supported())


def lines_here() -> Iterator[str]:
    """Yield what ``gradflow scan --about-this-machine`` prints."""
    means = means_here()
    yield f"system: {platform.system()} {platform.release()} on {platform.machine()}"
    yield f"Landlock: {_landlock_words(means.landlock)}"
    yield f"seccomp: {'a list of allowed system calls' if means.seccomp else _no_seccomp()}"
    yield f"user: {_user_words()}"
    yield (
        "user namespace: none is made; the process cannot make one either"
        if (means.seccomp)
        else "user namespace: none is made"
    )
    yield ""
    yield "The process that loads and runs a model cannot:"
    for act in ACTS:
        by = act.closed_by(means)
        if by:
            yield f"- {act.words} ({' and '.join(by)})"
    yield ""
    yield "It can:"
    yield "- read every file that its user can read"
    yield "- use up the time, the memory and the space on the disk that its limits give it"
    for act in ACTS:
        if not act.closed_by(means):
            yield f"- {act.words}"


def _landlock_words(version: int) -> str:
    if not version:
        return "none: it takes Linux 5.13, with Landlock switched on"
    since = _KERNELS[min(version, max(_KERNELS))]
    return f"ABI {version} (Linux {since} and later)"


def _no_seccomp() -> str:
    return "none: it takes Linux on x86-64 or arm64"


def _user_words() -> str:
    if not hasattr(os, "geteuid"):
        return "the one that runs gradflow"
    if os.geteuid() != 0 or sys.platform != "linux":
        return f"{os.geteuid()}, the one that runs gradflow, without capabilities"
    return "nobody without capabilities, since gradflow runs as root (-v says where that cannot be)"
