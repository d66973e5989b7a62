"""Start a child process that answers one request, as an interpreter of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

from gradflow.process.request import Purpose, Request, to_line
from gradflow.scratch import scratch_folder

_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from gradflow.process.child "
    "import main; main()"
)


ISOLATED = ("-I",)
"""Flags of Python: neither the working directory nor PYTHON* variables choose what is imported
beside the model."""
READS_ONLY = ("-I", "-S")
"""What only reads a file does without what the user's packages do at the start of Python."""


class Child(Protocol):
    """A process that answers one request."""

    @property
    def lines(self) -> IO[str]:
        """What it sends; ends when it ends."""

    def kill(self) -> None:
        """End it, with all that it has started."""

    def wait(self, seconds: float) -> int | None:
        """Its exit code, or minus the signal that ended it; None where it runs on after
        ``seconds``."""


Spawn = Callable[[Request, IO[bytes], Mapping[str, str]], AbstractContextManager[Child]]
"""Starts a child for a request, with a file for what it prints and more environment; at the end it
is gone."""


class _Process:
    def __init__(self, process: subprocess.Popen[str], lines: IO[str]) -> None:
        self._process = process
        self.lines = lines

    def kill(self) -> None:
        end_group(self._process.pid)

    def wait(self, seconds: float) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=seconds)
        return None


@contextmanager
def interpreter(
    request: Request, log: IO[bytes], environment: Mapping[str, str]
) -> Iterator[Child]:
    """Start a new interpreter for the request."""
    flags = ISOLATED if request.purpose in (Purpose.TAPE, Purpose.FUNCTION) else READS_ONLY
    with scratch_folder() as scratch, started(_BOOT, log, environment, flags) as process:
        if process.stdin is not None and process.stdout is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(to_line(request, scratch))
                process.stdin.close()
            yield _Process(process, process.stdout)


@contextmanager
def started(
    boot: str,
    log: IO[bytes],
    environment: Mapping[str, str],
    flags: Sequence[str],
    stdin: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[str]]:
    """Run ``boot`` in an isolated interpreter, in a session of its own; at the end all of that
    session is gone."""
    search = [entry for entry in sys.path if entry not in ("", str(Path.cwd()))]
    package = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, *flags, "-c", boot, json.dumps([*search, package])],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**without_secrets(os.environ), **_ENVIRONMENT, **environment},
        start_new_session=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        yield process
    finally:
        end_group(process.pid)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


_SECRET = re.compile(
    r"^(?:AWS|AZURE|GITHUB|GITLAB|GOOGLE|SSH)_|SECRET|TOKEN|PASSW|CREDENTIAL|PRIVATE|COOKIE|AUTH"
    r"|(?:API|ACCESS|ACCOUNT|ENCRYPTION|SIGNING)_?KEY|_(?:DSN|PAT|PWD)$|DATABASE_URL|CONNECTION_STR",
    re.IGNORECASE,
)
"""Names of environment variables that hold what opens something."""
_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "-1"),
    "HDF5_PLUGIN_PRELOAD": "::",  # no filter is loaded from a library beside the file
    "MALLOC_ARENA_MAX": "2",  # address space counts, and each arena reserves 64 MB of it
}


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables, less those that hold what a model has no use for: it
    could write them into its report."""
    return {name: value for name, value in variables.items() if not _SECRET.search(name)}


def end_group(process: int) -> None:
    """Kill a process and all that it has started, where they are still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process, signal.SIGKILL)
        else:
            os.kill(process, signal.SIGTERM)
