"""Start the process that opens the model before the command line is imported: the two take as long
as each other, and can run beside each other.

What such a process does before it is asked is to import; it is isolated, confined and asked as any
other. Nothing else of gradflow is imported here.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from gradflow.process.isolated import ISOLATED, READS_ONLY, started
from gradflow.process.processors import processors

_BOOT = "from gradflow.process.child import main; main({imports!r})"
_COMMANDS = frozenset({"inspect", "check", "scan", "why"})
_SEVERAL_OR_NONE = frozenset({"-h", "--help", "-v", "--verbose", "--watch"})
"""Options with which it would not be used."""
_READS = "gradflow.analysis.static"
_SCANS = "gradflow.analysis.safety"


class Early(NamedTuple):
    """A process that nobody has asked yet."""

    process: subprocess.Popen[str]
    log: IO[bytes]
    flags: Sequence[str]


_waiting: list[Early] = []


@contextmanager
def started_early(arguments: Sequence[str]) -> Iterator[None]:
    """Have a process started, inside, where ``arguments`` look as if one model will be opened.

    A wrong guess costs a process that is ended unasked.
    """
    if not _is_about_one_model(arguments) or processors() == 1:
        yield
        return
    flags = READS_ONLY if "--static" in arguments or arguments[0] == "scan" else ISOLATED
    boot = _BOOT.format(imports=_READS if "--static" in arguments else _SCANS)
    with tempfile.TemporaryFile() as log, started(boot, log, {}, flags) as process:
        _waiting.append(Early(process, log, flags))
        try:
            yield
        finally:
            _waiting.clear()


def claimed(flags: Sequence[str]) -> Early | None:
    """Return the process that waits, where it was started with these flags; it waits no more."""
    if _waiting and _waiting[0].flags == flags:
        return _waiting.pop()
    return None


def _is_about_one_model(arguments: Sequence[str]) -> bool:
    if not arguments or arguments[0] not in _COMMANDS or _SEVERAL_OR_NONE.intersection(arguments):
        return False
    return len({word for word in arguments[1:] if _is_model(word)}) == 1


def _is_model(word: str) -> bool:
    is_file = word.endswith((".keras", ".h5", ".hdf5", "saved_model.pb"))
    path = Path(word) if is_file else Path(word, "saved_model.pb")
    try:
        return not word.startswith("-") and path.is_file()
    except (OSError, ValueError):  # what is wrong with it is told by who opens it
        return False
