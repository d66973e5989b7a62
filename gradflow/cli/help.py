"""Show the help of a command: its options under headings, then examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from gradflow.text import closest

OTHER = "Other options"
"""The heading of options that have no other."""


class Option(click.Option):
    """An option that stands under a heading of the help."""

    def __init__(self, *arguments: Any, heading: str = OTHER, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.heading = heading


class Command(click.Command):
    """A command whose help has headings and examples."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = tuple(examples)
        """Lines for a shell, each a use of the command."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a section for each heading, in the order of definition."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, a line each, never wrapped: they are there to be copied."""
        del ctx
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {example}\n" for example in self.examples))


class Group(Command, click.Group):
    """A command with subcommands; a wrong name gets the nearest right one."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options and the subcommands."""
        _write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand.

        Raises:
            UsageError: there is none of that name.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = closest(args[0], self.list_commands(ctx))
            if not near or "Did you mean" in error.message:
                raise
            message = f"{error.message.rstrip('.')}. Did you mean {near[0]!r}?"
            raise click.UsageError(message, ctx) from None


def _write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
        if record is not None:
            sections.setdefault(getattr(parameter, "heading", OTHER), []).append(record)
    for heading, records in sorted(sections.items(), key=lambda section: section[0] == OTHER):
        with formatter.section(heading if len(sections) > 1 else "Options"):
            formatter.write_dl(records)
