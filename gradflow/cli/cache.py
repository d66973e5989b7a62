"""``gradflow cache``: where audit keeps its results, and how to be rid of them."""

from __future__ import annotations

import click

from gradflow.audit.cache import Cache, default_folder
from gradflow.cli.output import Target


@click.group()
def cache() -> None:
    """Show or clear the results that audit keeps."""


@cache.command()
def clear() -> None:
    """Remove every result that is kept."""
    count = Cache(default_folder()).clear()
    Target(None, no_color=True).write(
        f"{count:,} results removed\n" if count != 1 else "1 result removed\n"
    )


@cache.command()
def folder() -> None:
    """Print the folder: GRADFLOW_CACHE_DIR, or one of this user's."""
    Target(None, no_color=True).write(f"{default_folder()}\n")
