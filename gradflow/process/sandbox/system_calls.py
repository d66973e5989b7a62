"""Find the numbers of system calls, and which of them a confined process may make.

``python -m gradflow.tables.system_calls`` writes the table.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from pathlib import Path

PATH = Path(__file__).with_name("system_calls.tsv")
MACHINES = ("x86_64", "aarch64")
"""As os.uname() calls them; the columns of the table."""


class Rule(str, Enum):
    """What happens to a system call."""

    ALLOW = "allow"
    REFUSE = "refuse"
    """It fails with EPERM, as for a user who may not."""
    ABSENT = "absent"
    """It fails with ENOSYS, as on an older kernel: whoever calls it has another way."""
    THREAD = "thread"
    """To start a thread of this process, in its own namespaces."""
    OPEN = "open"
    OPEN_AT = "open at"
    """To open, but not to cut a file that is opened for reading."""
    FCNTL = "fcntl"
    IOCTL = "ioctl"
    PRCTL = "prctl"
    """Only some requests."""
    PAIR = "pair"
    """Only a pair of streams, which reach each other alone."""
    SEND = "send"
    """Only without an address."""
    OWN = "own"
    """For this very process only: ``abort`` needs that."""
    OWN_OR_ZERO = "own or zero"
    """For this very process, which it also knows by the number 0."""


@cache
def numbers(machine: str) -> dict[Rule, tuple[int, ...]]:
    """Return the numbers of the calls of each rule on that machine, in order."""
    column = MACHINES.index(machine) + 1
    calls: dict[Rule, list[int]] = {rule: [] for rule in Rule}
    for line in PATH.read_text(encoding="utf-8").splitlines()[2:]:
        cells = line.split("\t")
        if cells[column]:
            calls[Rule(cells[-1])].append(int(cells[column]))
    return {rule: tuple(sorted(listed)) for rule, listed in calls.items()}
