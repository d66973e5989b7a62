"""``gradflow`` and its commands."""

from __future__ import annotations

import click

from gradflow.cli.baseline import baseline
from gradflow.cli.check import check
from gradflow.cli.diff import diff
from gradflow.cli.init import init
from gradflow.cli.inspect import inspect
from gradflow.cli.rules import explain, rules
from gradflow.cli.schema import schema
from gradflow.cli.why import why
from gradflow.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="gradflow")
def main() -> None:
    """Show which weights of a TensorFlow model get no gradient, and what cuts them off."""


main.add_command(inspect)
main.add_command(check)
main.add_command(init)
main.add_command(baseline)
main.add_command(diff)
main.add_command(why)
main.add_command(explain)
main.add_command(rules)
main.add_command(schema)
