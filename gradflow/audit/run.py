"""Analyse several models at a time, and hand each over as soon as it is done."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from queue import Empty, Queue
from typing import TYPE_CHECKING, Protocol, TypeVar

from gradflow.options import Options
from gradflow.process.early_start import early_server
from gradflow.process.parent import Outcome, inspect_path, scan_path
from gradflow.process.processors import processors
from gradflow.progress import Progress

if TYPE_CHECKING:
    from concurrent.futures import Future

    from gradflow.audit.check_model import Inspect
    from gradflow.process.fork_client import ForkServers

T = TypeVar("T")
R = TypeVar("R")
Stage = Callable[[int, str], None]
"""Hears that a model, by its index, has come to a new stage; from any thread."""
_GLANCE = 0.5
"""Seconds between looks at the signals: a wait without an end would not hear Ctrl-C on Windows."""


class Runner(AbstractContextManager["Runner"], Protocol):
    """Analyses models, from any thread, between ``with`` and its end."""

    @property
    def jobs(self) -> int:
        """How many models at a time are sensible."""

    @property
    def inspect(self) -> Inspect:
        """Analyses one."""

    def stop(self) -> None:
        """End what runs, at once."""


def fork_servers() -> ForkServers:
    """Return what starts copies of processes that are warm already."""
    from gradflow.process.fork_client import ForkServers  # what one model does without

    return ForkServers()


class Here:
    """Analyses models on this machine, each in a copy of a process that is warm already.

    One model alone does not wait for such a process, where none was started early: an interpreter
    of its own is as fast.
    """

    def __init__(self, models: int) -> None:
        has_server = models > 1 or early_server() is not None
        self._copies = fork_servers() if has_server else None
        self.jobs = processors()

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        if self._copies is not None:
            self._copies.__exit__()

    def inspect(self, path: str, options: Options, progress: Progress) -> Outcome:
        """Analyse the model at ``path``."""
        return inspect_path(path, options, progress, self._copies)

    def scan(self, path: str, options: Options, progress: Progress) -> Outcome:
        """Look for what could do harm in the model at ``path``."""
        return scan_path(path, options, progress, self._copies)

    def stop(self) -> None:
        """End what runs, at once."""
        if self._copies is not None:
            self._copies.stop()


def each_done(
    items: Sequence[T],
    jobs: int,
    work: Callable[[T, Progress], R],
    stage: Stage,
    stop: Callable[[], None],
) -> Generator[tuple[int, R], None, None]:
    """Do ``work`` on each of ``items``, ``jobs`` at a time; yield the index and the result of each
    as soon as it ends.

    An exception while it waits, or closing it, drops the items that have not begun, and calls
    ``stop`` to end those that run. One item alone is done in this thread.
    """
    if len(items) == 1:
        yield 0, work(items[0], partial(stage, 0))
        return
    from concurrent.futures import ThreadPoolExecutor  # which brings logging

    finished: Queue[int] = Queue()
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="gradflow") as pool:
        futures: list[Future[R]] = []
        try:
            for index, item in enumerate(items):
                future = pool.submit(work, item, partial(stage, index))
                future.add_done_callback(partial(_end, finished, index))
                futures.append(future)
            for _ in items:
                index = _next(finished)
                yield index, futures[index].result()
        except BaseException:
            for future in futures:
                future.cancel()
            stop()
            raise


def _end(finished: Queue[int], index: int, _: object) -> None:
    finished.put(index)


def _next(finished: Queue[int]) -> int:
    while True:
        with suppress(Empty):
            return finished.get(timeout=_GLANCE)
