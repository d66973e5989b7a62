"""``gradflow cache``: show where audit keeps its results, or remove them."""

from __future__ import annotations

from pathlib import Path

import click

from gradflow.audit.cache import Cache, default_folder
from gradflow.cli.help import Command, Group
from gradflow.cli.output import CommandError, Target
from gradflow.text import first_few, shown


@click.group(cls=Group, examples=("gradflow cache folder", "gradflow cache clear"))
def cache() -> None:
    """Show or clear the results that are kept."""


@cache.command(cls=Command, examples=("gradflow cache clear",))
def clear() -> None:
    """Remove every result that is kept, and no other file."""
    results = _folder()
    try:
        cleared = Cache(results).clear()
    except OSError as error:
        raise CommandError(f"{results}: cannot be cleared: {error.strerror or error}") from error
    removed = f"{cleared.results:,} result{'s' * (cleared.results != 1)} removed"
    left = f"; not gradflow's, and left in {results}: {first_few(cleared.others)}"
    Target(None, no_color=True).write(shown(removed + left * bool(cleared.others)) + "\n")


@cache.command(cls=Command, examples=("gradflow cache folder",))
def folder() -> None:
    """Print the folder: GRADFLOW_CACHE_DIR, or one of this user's."""
    Target(None, no_color=True).write(f"{_folder()}\n")


def _folder() -> Path:
    folder = default_folder()
    if folder is None:
        raise CommandError("no result is kept, since this user has no home; set GRADFLOW_CACHE_DIR")
    return folder
