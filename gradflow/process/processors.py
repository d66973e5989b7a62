"""Count the processors that this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """Return how many processors there are for this process; 1 where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
