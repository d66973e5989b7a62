"""Tell whoever waits which stage an analysis has reached."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Called with the name of each stage of an analysis as it begins."""
