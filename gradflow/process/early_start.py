"""Start the process that opens the model before the command line is imported.

The two take as long as each other, and can run at the same time.

What such a process does before it is asked is to import; it is isolated, confined and asked as any
other. Little else of gradflow is imported here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from gradflow.process.isolated import ISOLATED, READS_ONLY, started
from gradflow.process.processors import processors

if TYPE_CHECKING:
    import socket

_BOOT = "from gradflow.process.child import main; main({imports!r})"
_KERAS = (".keras", ".h5", ".hdf5")
_COMMANDS = frozenset({"inspect", "check", "scan", "why"})
_OF_SEVERAL = frozenset({"inspect", "check", "scan", "audit"})
_SEVERAL_OR_NONE = frozenset({"-h", "--help", "-v", "--verbose", "--watch"})
"""Options with which it would not be used."""
_READS_GRAPH = "gradflow.analysis.static_saved_model"
_READS_KERAS = "gradflow.analysis.static_keras"
_SCANS = "gradflow.analysis.safety"


class Early(NamedTuple):
    """A process that nobody has asked yet."""

    process: subprocess.Popen[str]
    log: IO[bytes]
    flags: Sequence[str]


_waiting: list[Early] = []
_servers: list[socket.socket] = []


@contextmanager
def started_early(arguments: Sequence[str]) -> Iterator[None]:
    """Have a process started, inside, where ``arguments`` look as if a model will be opened, or a
    fork server where several will be read.

    A wrong guess costs a process that is ended unasked.
    """
    is_useful = bool(arguments) and not _SEVERAL_OR_NONE.intersection(arguments)
    if not is_useful or processors() == 1:
        yield
    elif _is_about_one_model(arguments):
        with _one(arguments):
            yield
    elif _reads_several(arguments):
        with _server():
            yield
    else:
        yield


@contextmanager
def _one(arguments: Sequence[str]) -> Iterator[None]:
    flags = READS_ONLY if _only_reads(arguments) else ISOLATED
    boot = _BOOT.format(imports=_needed(arguments))
    with tempfile.TemporaryFile() as log, started(boot, log, {}, flags) as process:
        _waiting.append(Early(process, log, flags))
        try:
            yield
        finally:
            _waiting.clear()


@contextmanager
def _server() -> Iterator[None]:
    from gradflow.process.fork_start import fork_server  # what one model does without

    with fork_server(with_tape=False) as control:
        _servers.append(control)
        try:
            yield
        finally:
            _servers.clear()


def early_server() -> socket.socket | None:
    """Return where the fork server is asked that was started early; it has no TensorFlow."""
    return _servers[0] if _servers else None


def claimed(flags: Sequence[str]) -> Early | None:
    """Return the process that waits, where it was started with these flags; it waits no more."""
    if _waiting and _waiting[0].flags == flags:
        return _waiting.pop()
    return None


def _is_about_one_model(arguments: Sequence[str]) -> bool:
    return arguments[0] in _COMMANDS and len(_models(arguments)) == 1


def _reads_several(arguments: Sequence[str]) -> bool:
    if sys.platform != "linux" or arguments[0] not in _OF_SEVERAL or not _only_reads(arguments):
        return False
    is_about_many = arguments[0] == "audit" or len(_models(arguments)) > 1
    return is_about_many or any(map(_is_folder, arguments[1:]))


def _needed(arguments: Sequence[str]) -> str:
    """Return the module that the process imports while nobody has asked it yet."""
    if "--static" not in arguments:
        return _SCANS
    [model] = _models(arguments)
    return _READS_KERAS if model.endswith(_KERAS) else _READS_GRAPH


def _only_reads(arguments: Sequence[str]) -> bool:
    return "--static" in arguments or arguments[0] == "scan"


def _models(arguments: Sequence[str]) -> set[str]:
    return {word for word in arguments[1:] if _is_model(word)}


def _is_model(word: str) -> bool:
    is_file = word.endswith((*_KERAS, "saved_model.pb"))
    path = Path(word) if is_file else Path(word, "saved_model.pb")
    return not word.startswith("-") and _is(path.is_file)


def _is_folder(word: str) -> bool:
    return not word.startswith("-") and _is(Path(word).is_dir)


def _is(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except (OSError, ValueError):  # what is wrong with it is told by who opens it
        return False
