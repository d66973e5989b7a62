"""Check several planned models at a time, and hand each over as soon as it is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from gradflow.audit.checked import Checked, Inspect
from gradflow.config import ModelPlan
from gradflow.options import Options
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import Outcome, inspect_path
from gradflow.progress import Progress

Check = Callable[[ModelPlan, Progress], Checked]
"""Analyses and judges one model, in any thread."""
Stage = Callable[[int, str], None]
"""Hears that a model, by its index in the plan, has come to a new stage; from any thread."""
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


class Here:
    """Analyses models on this machine."""

    def __init__(self) -> None:
        self._copies = ForkServers()
        self.jobs = (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        self._copies.__exit__()

    def inspect(self, path: str, options: Options, progress: Progress) -> Outcome:
        """Analyse the model at ``path``."""
        return inspect_path(path, options, progress, self._copies)

    def stop(self) -> None:
        """End what runs, at once."""
        self._copies.stop()


def check_models(
    plans: Sequence[ModelPlan], jobs: int, check: Check, stage: Stage, stop: Callable[[], None]
) -> Generator[tuple[int, Checked], None, None]:
    """Check ``plans``, ``jobs`` at a time; yield the index and the result of each as soon as it
    ends.

    An exception while it waits, or closing it, drops the plans that have not begun, and calls
    ``stop`` to end those that run.
    """
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="gradflow") as pool:
        waiting: dict[Future[Checked], int] = {
            pool.submit(check, plan, partial(stage, index)): index
            for index, plan in enumerate(plans)
        }
        try:
            while waiting:
                finished, _ = wait(waiting, timeout=_GLANCE, return_when=FIRST_COMPLETED)
                for future in sorted(finished, key=waiting.__getitem__):
                    yield waiting.pop(future), future.result()
        except BaseException:
            for future in waiting:
                future.cancel()
            stop()
            raise
