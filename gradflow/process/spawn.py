"""Start a child process that answers one request, as an interpreter of its own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Protocol

from gradflow.process.answers import Lines, lines_of
from gradflow.process.isolated import ISOLATED, READS_ONLY, end_group, started
from gradflow.process.request import Purpose, Request, to_line
from gradflow.scratch import scratch_folder

_BOOT = "from gradflow.process.child import main; main()"


class Child(Protocol):
    """A process that answers one request."""

    @property
    def lines(self) -> Lines:
        """What it sends."""

    @property
    def turn(self) -> str:
        """What stands in each line of this answer, where it answers others too; else empty."""

    @property
    def process(self) -> int | None:
        """Its number; None before it has one."""

    @property
    def scratch(self) -> str:
        """The folder that it can write to, with all below it."""

    def kill(self) -> None:
        """End it, with all that it has started."""

    def wait(self, seconds: float) -> int | None:
        """Its exit code, or minus the signal that ended it; None where it runs on after
        ``seconds``."""


Spawn = Callable[[Request, IO[bytes], Mapping[str, str]], AbstractContextManager[Child]]
"""Starts a child for a request, with a file for what it prints and more environment; at the end it
is gone."""


class _Process:
    turn = ""

    def __init__(self, process: subprocess.Popen[str], lines: Lines, scratch: str) -> None:
        self._process = process
        self.lines = lines
        self.scratch = scratch

    @property
    def process(self) -> int:
        return self._process.pid

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
    is_own = request.purpose is Purpose.FUNCTION
    with (
        started(_BOOT, log, environment, flags_for(request), is_own=is_own) as process,
        asked(process, request) as child,
    ):
        yield child


@contextmanager
def asked(process: subprocess.Popen[str], request: Request) -> Iterator[Child]:
    """Ask an interpreter that has been started; at the end it is gone, and then its folder."""
    with scratch_folder() as scratch:
        try:
            if process.stdin is not None and process.stdout is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(to_line(request, scratch))
                    process.stdin.close()
                yield _Process(process, lines_of(process.stdout), scratch)
        finally:
            end_group(process.pid)
            process.wait()


def flags_for(request: Request) -> tuple[str, ...]:
    """Return the flags of Python for what answers the request."""
    return ISOLATED if request.purpose in (Purpose.TAPE, Purpose.FUNCTION) else READS_ONLY
