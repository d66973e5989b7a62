"""``gradflow schema``: the JSON Schema of the report or of the configuration."""

from __future__ import annotations

import click

from gradflow.cli.options import refuse_out
from gradflow.cli.output import Target
from gradflow.text import as_json


@click.command()
@click.argument("what", type=click.Choice(["report", "config"]))
@click.option(
    "-o", "--out", metavar="FILE", type=click.Path(dir_okay=False), help="Write it to FILE."
)
def schema(what: str, out: str | None) -> None:
    """Print the JSON Schema of what --format json writes, or of gradflow.yaml.

    Editors that speak YAML complete a configuration that begins with
    "# yaml-language-server: $schema=gradflow.schema.json".
    """
    refuse_out(out)
    # Imported where they are needed: help does without.
    from gradflow.config.schema import config_schema
    from gradflow.findings.schema import report_schema
    from gradflow.report.json import SCHEMA

    value = config_schema() if what == "config" else report_schema(SCHEMA)
    Target(out, no_color=True).write(as_json(value) + "\n")
