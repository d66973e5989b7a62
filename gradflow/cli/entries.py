"""``gradflow inspect --entry list``: show what each model file holds that can be called."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.cli.stream import Target
from gradflow.options import Options
from gradflow.worker.entries import list_entries

LIST = "list"


def show_entries(models: Sequence[str], options: Options, format: str, target: Target) -> int:
    """Write the entries of ``models`` to ``target`` and return the exit code: 2 where a file could not be read."""
    from gradflow.report.entries import render_entries, render_entries_json

    found = [list_entries(path, options) for path in models]
    if format == "json":
        target.write(render_entries_json(found))
    else:
        target.write(render_entries(found, width=target.width, color=target.color, encoding=target.encoding))
    return 2 if any(listed.error is not None for listed in found) else 0
