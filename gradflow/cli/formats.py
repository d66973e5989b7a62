"""Import what writes a report while a child process is at work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from gradflow.report.formats import renderer


def warming(progress: Callable[[str], None], formats: Iterable[str]) -> Callable[[str], None]:
    """Return ``progress``, which on its first call also begins to import what ``formats`` need."""
    waiting = list(formats)

    def import_and_progress(stage: str) -> None:
        if waiting:
            names = tuple(waiting)
            waiting.clear()
            threading.Thread(
                target=lambda: [renderer(format) for format in names], daemon=True
            ).start()
        progress(stage)

    return import_and_progress
