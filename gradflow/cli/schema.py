"""``gradflow schema``: print the JSON Schema of the report or of the configuration."""

from __future__ import annotations

from typing import ClassVar

import click

from gradflow.cli.help import Command
from gradflow.cli.options import FileOutput, force_option, out_file, with_options
from gradflow.cli.out_file import OutFile
from gradflow.cli.output import Target
from gradflow.lazy_dataclass import dataclass
from gradflow.text import as_json


@dataclass(frozen=True, slots=True)
class SchemaOutput(FileOutput):
    """Where the schema goes."""

    heading: ClassVar[str] = "Schema"

    out: str | None = out_file("Write the schema to FILE.")
    force: bool = force_option("no schema of gradflow")

    def files(self) -> list[OutFile]:
        """Return the file of ``-o``."""
        return [] if self.out is None else [OutFile.of_schema(self.out, "gradflow ")]


@click.command(
    cls=Command,
    examples=("gradflow schema report", "gradflow schema config -o gradflow.schema.json"),
)
@click.argument("subject", metavar="{report|config}", type=click.Choice(["report", "config"]))
@with_options(output=SchemaOutput)
def schema(subject: str, output: SchemaOutput) -> None:
    """Print the JSON Schema of what --format json writes, or of gradflow.yaml.

    Editors that speak YAML complete a configuration that begins with
    "# yaml-language-server: $schema=gradflow.schema.json".
    """
    # Imported where they are needed: help does without.
    from gradflow.config.schema import config_schema
    from gradflow.findings.schema import report_schema
    from gradflow.report.json import SCHEMA

    value = config_schema() if subject == "config" else report_schema(SCHEMA)
    Target(output.out, no_color=True).write(as_json(value) + "\n")
