"""Import a command when it is run: ``--help`` pays for none of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from gradflow.cli.help import Group
from gradflow.cli.signals import orderly_end
from gradflow.cli.streams import is_of_a_stream, leave_stdout, open_closed_streams
from gradflow.lazy_dataclass import dataclass
from gradflow.process.lasting_imports import lasting_imports


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command that is not imported yet."""

    module: str
    """Holds it under its own name."""
    short_help: str


class LazyGroup(Group):
    """Knows its commands by name and short help."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, Lazy], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lazy = lazy

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command line."""
        open_closed_streams()
        try:
            with orderly_end():
                return super().main(*arguments, **options)
        except OSError as error:
            if not is_of_a_stream(error):
                raise
            leave_stdout()
            with contextlib.suppress(OSError):
                sys.stderr.write(f"Error: stdout: cannot be written: {error.strerror}\n")
            sys.exit(2)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are given: the first is the main one."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None where there is none of that name."""
        if cmd_name not in self.lazy:
            return None
        with lasting_imports():
            command: click.Command = getattr(import_module(self.lazy[cmd_name].module), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the short helps without an import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.short_help) for name, lazy in self.lazy.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command without an import, or an option."""
        names = [
            CompletionItem(name, help=lazy.short_help)
            for name, lazy in self.lazy.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)
