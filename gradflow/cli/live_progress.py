"""Show on stderr how far many analyses are: a moving picture on a terminal, else plain lines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradflow.findings import ModelReport, Severity, Status
from gradflow.report.headline import headline
from gradflow.report.words import counted
from gradflow.text import shown

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

_SHOWN = 12
"""Running models that have a line each."""


class Display:
    """Shows models as they are analysed; its methods can be called from any thread."""

    def __init__(self, names: Sequence[str], *, quiet: bool, verbose: bool) -> None:
        self._names = [shown(name) for name in names]
        self._quiet, self._begun = quiet, time.monotonic()
        self._lock = threading.Lock()
        self._stages: dict[int, str] = {}
        self._done = self._failed = self._broken = self._findings = 0
        self._live: Live | None = None
        if sys.stderr.isatty() and not quiet and not verbose:
            from rich.console import Console  # these take a while, and plain lines do without
            from rich.live import Live

            console = Console(stderr=True, highlight=False, markup=False, emoji=False)
            self._live = Live(
                console=console, get_renderable=self._picture, refresh_per_second=4, transient=True
            )

    @property
    def shows_lines(self) -> bool:
        """Whether each finished model has a line that stays."""
        return not self._quiet and self._live is None

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def stage(self, index: int, label: str) -> None:
        """Show that the model at ``index`` of the names has reached a new stage."""
        with self._lock:
            self._stages[index] = label

    def finished(self, index: int, model: ModelReport, is_broken: bool) -> None:
        """Count the model at ``index`` as done."""
        failed = model.status is Status.FAILED
        with self._lock:
            self._stages.pop(index, None)
            self._done += 1
            self._failed += failed
            self._broken += is_broken and not failed
            self._findings += sum(
                finding.severity is not Severity.NOTE for finding in model.open_findings
            )
        if self.shows_lines:
            sys.stderr.write(shown(f"[{self._done}/{len(self._names)}] {headline(model)}") + "\n")
            sys.stderr.flush()

    def _picture(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        with self._lock:
            running = sorted(self._stages.items())
            parts = [f"{self._done:,} of {counted(len(self._names), 'model')} done"]
            parts += [f"{self._broken:,} broken"] if self._broken else []
            parts += [f"{self._failed:,} not checked"] if self._failed else []
            parts += [counted(self._findings, "finding")] if self._findings else []
            left = self._left()
        head = Text(", ".join(parts) + left, style="bold", overflow="ellipsis", no_wrap=True)
        lines = [
            Text.assemble(
                "  ", self._names[index], (f"  {stage}", "dim"), overflow="ellipsis", no_wrap=True
            )
            for index, stage in running[:_SHOWN]
        ]
        more = (
            [Text(f"  and {len(running) - _SHOWN} more", style="dim")]
            if len(running) > _SHOWN
            else []
        )
        return Group(head, *lines, *more)

    def _left(self) -> str:
        """Return how long the rest takes if it goes on like this."""
        if not self._done or self._done == len(self._names):
            return ""
        seconds = (time.monotonic() - self._begun) / self._done * (len(self._names) - self._done)
        if seconds < 90:
            return f", about {seconds:.0f} s left"
        return (
            f", about {seconds / 60:.0f} min left"
            if seconds < 5400
            else f", about {seconds / 3600:.1f} h left"
        )
