"""``gradflow`` and its commands."""

from __future__ import annotations

import click

from gradflow.cli.inspect import inspect
from gradflow.cli.rules import explain, rules
from gradflow.cli.why import why
from gradflow.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="gradflow")
def main() -> None:
    """Show which weights of a TensorFlow model get no gradient, and what cuts them off."""


main.add_command(inspect)
main.add_command(why)
main.add_command(explain)
main.add_command(rules)
