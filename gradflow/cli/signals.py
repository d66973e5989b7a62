"""End a run in good order on a signal: stop the child process, and exit with 128 + signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into SystemExit while the block runs.

    Left alone, the first would be click's exit code 1, our word for findings, and the others would
    leave the child process behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    previous = {number: signal.signal(number, _stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
