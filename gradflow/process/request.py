"""Write what a child process is asked as one line of JSON, and read it back."""

from __future__ import annotations

import json
import stat
import sys
from contextlib import suppress
from enum import Enum
from pathlib import Path

from gradflow.files.graph_file import GRAPH_FILE
from gradflow.findings.wire import decode, encode
from gradflow.lazy_dataclass import dataclass
from gradflow.options import Options
from gradflow.process.sandbox.limits import Limits, limits_for, size_of


class Purpose(str, Enum):
    """What is wanted of a model file."""

    TAPE = "tape"
    """Scan it, load it and run one gradient step."""
    STATIC = "static"
    """Read it without TensorFlow."""
    SCAN = "scan"
    """Tell what in it could do harm."""
    ENTRIES = "entries"
    """List what ``--entry`` can name."""
    FUNCTION = "function"
    """Call it and run one gradient step on the model that it returns."""
    MODELS = "models"
    """List the models below the path, which is a folder."""


_ONLY_READ = (Purpose.STATIC, Purpose.SCAN)
_SMALL = 1_000_000
"""Bytes of a file that a process may read among others."""
OF_ONE_FILE = (Purpose.TAPE, Purpose.STATIC, Purpose.SCAN, Purpose.ENTRIES)


@dataclass(frozen=True, slots=True)
class Request:
    """One question about one model file. All paths are absolute: a child works in a folder of its
    own."""

    purpose: Purpose
    path: str
    shown: str
    """The path or address as the user wrote it."""
    names: tuple[tuple[str, str], ...]
    """Paths, and what the answer calls them instead: what the user wrote."""
    options: Options
    folder: str
    """Where the command was run, and the user's own modules may lie."""
    limits: Limits
    may_share: bool
    """Whether a process may answer it that answers others too: a small file, that is only read."""


def request_about(purpose: Purpose, path: str, shown: str, options: Options) -> Request:
    """Return the question about the file at ``path``, relative to the working directory, which the
    user knows as ``shown``."""
    is_file = purpose is not Purpose.FUNCTION
    absolute = str(Path(path).absolute()) if is_file else path
    names = [(absolute, shown)] if is_file else []
    if Path(path).name == GRAPH_FILE:
        names.append((str(Path(absolute).parent), str(Path(shown).parent)))
    names += [(str(Path(file).absolute()), file) for file in options.files]
    return Request(
        purpose=purpose,
        path=absolute,
        shown=shown,
        names=tuple(dict.fromkeys(names)),
        options=options.with_absolute_files(),
        folder=str(Path.cwd()),
        may_share=_may_share(purpose, absolute, options),
        limits=limits_for(
            size_of(Path(absolute)) if purpose in OF_ONE_FILE else 0,
            options.memory_limit,
            options.timeout,
        ),
    )


def _may_share(purpose: Purpose, path: str, options: Options) -> bool:
    is_plain = not (options.imports or options.files or options.verbose)
    if sys.platform == "linux" and purpose in _ONLY_READ and is_plain and path.endswith(".keras"):
        with suppress(OSError, ValueError):
            status = Path(path).stat()
            return stat.S_ISREG(status.st_mode) and status.st_size <= _SMALL
    return False


def to_line(request: Request, scratch: str, turn: str = "") -> str:
    """``request``, and the folder that the child may write to, as a line.

    ``turn`` stands in each line of the answer of a child that answers several requests; it is empty
    for one that answers this request alone.
    """
    return json.dumps({"request": encode(request), "scratch": scratch, "turn": turn}) + "\n"


def from_line(line: str) -> tuple[Request, str, str]:
    """Return the request, the scratch folder and the turn of a line that ``to_line`` wrote."""
    message = json.loads(line)
    return decode(Request, message["request"]), message["scratch"], message["turn"]


def out_of_memory(request: Request) -> tuple[str, str]:
    """Return what is said where a model needs more memory than it may take, and what to do about
    it."""
    limit = (
        ""
        if request.options.memory_limit is None
        else f" of {request.options.memory_limit / 1e9:.3g} GB"
    )
    return (
        f"{request.shown}: needs more memory than its limit{limit}",
        "raise --memory-limit, or lower --batch-size",
    )
