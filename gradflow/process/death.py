"""Say how a process that ran a model died, by its exit code and what it printed last."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from typing import IO

from gradflow.errors import CrashedError
from gradflow.process.request import Request, out_of_memory
from gradflow.text import shown

_FAULTS = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})
_OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "Cannot allocate memory", "failed to map segment")
"""In the last words of a process that needed more than it may take."""
_LOG_TIME = re.compile(
    r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*: [A-Z] |[A-Z]\d{4} [\d:.]+ +\d+ )"
)
"""How a line of TensorFlow's or of Abseil's log begins."""
_NUMBERS = re.compile(r"\b(0x|PID |pid |TID |tid )(?:0x)?[0-9a-fA-F]+\b")


class StepCrashedError(CrashedError):
    """The process died of a fault in native code during the gradient step."""


def death(
    request: Request, doing: str, code: int | None, words: str | None, *, in_step: bool
) -> CrashedError:
    """Return what to say of a process that has ended without an answer.

    Args:
        request: what it was asked.
        doing: what it did: ``loading the model``.
        code: its exit code; None where it sends nothing any more.
        words: what it printed last; None where the user has seen it.
        in_step: whether it died in the gradient step.
    """
    if words is not None and any(sign in words for sign in _OUT_OF_MEMORY):
        return CrashedError(*out_of_memory(request))
    faulted = code is not None and -code in _FAULTS
    kind = StepCrashedError if faulted and in_step else CrashedError
    problem = f"{request.shown}: {_ending(code)} while {doing}"
    if words is None:
        return kind(problem, "read its messages above")
    last = f"its last message: {words.splitlines()[-1][:300]}" if words else "it left no message"
    return kind(f"{problem}; {last}", "run it again with -v, which shows all of its messages")


def _ending(code: int | None) -> str:
    if code is None:
        return "the process that runs the model sends nothing any more"
    if code >= 0:
        return f"the process that runs the model ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"the process that runs the model was ended by {signal.Signals(-code).name}"
    return f"the process that runs the model was ended by signal {-code}"


def last_words(log: IO[bytes]) -> str | None:
    """Return the end of what a process has printed; None where the user has seen it."""
    if not log.seekable():
        return None
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - 4000))
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return "\n".join(shown(same_each_time(line)) for line in lines)


def same_each_time(line: str) -> str:
    """Return a line of a log without its time, process and addresses: a report has none of them."""
    return _NUMBERS.sub(r"\1...", _LOG_TIME.sub("", line))
