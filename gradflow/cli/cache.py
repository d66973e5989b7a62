"""``gradflow cache``: show where audit keeps its results, or remove them."""

from __future__ import annotations

import click

from gradflow.audit.cache import Cache, default_folder
from gradflow.cli.help import Command, Group
from gradflow.cli.output import Target


@click.group(cls=Group, examples=("gradflow cache folder", "gradflow cache clear"))
def cache() -> None:
    """Show or clear the results that audit keeps."""


@cache.command(cls=Command, examples=("gradflow cache clear",))
def clear() -> None:
    """Remove every result that is kept."""
    count = Cache(default_folder()).clear()
    Target(None, no_color=True).write(
        f"{count:,} results removed\n" if count != 1 else "1 result removed\n"
    )


@cache.command(cls=Command, examples=("gradflow cache folder",))
def folder() -> None:
    """Print the folder: GRADFLOW_CACHE_DIR, or one of this user's."""
    Target(None, no_color=True).write(f"{default_folder()}\n")
