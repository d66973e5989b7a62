"""``gradflow`` and its commands."""

from __future__ import annotations

import click

from gradflow.cli.lazy import Lazy, LazyGroup
from gradflow.version import VERSION

COMMANDS = {
    "inspect": Lazy("gradflow.cli.inspect", "Show which weights get no gradient, and why."),
    "check": Lazy("gradflow.cli.check", "Judge models by what is expected of them, for CI."),
    "audit": Lazy("gradflow.cli.audit", "Check every model of a configuration, several at a time."),
    "init": Lazy("gradflow.cli.init", "Write a gradflow.yaml from what models show today."),
    "baseline": Lazy("gradflow.cli.baseline", "Accept what is there today."),
    "diff": Lazy("gradflow.cli.diff", "Show what has changed between two models or reports."),
    "scan": Lazy("gradflow.cli.scan", "Look for what could do harm, and run nothing."),
    "cache": Lazy("gradflow.cli.cache", "Show or clear the results that audit keeps."),
    "why": Lazy("gradflow.cli.why", "Show what keeps the gradient from one variable."),
    "explain": Lazy("gradflow.cli.rules", "Tell what a code of a report means."),
    "rules": Lazy("gradflow.cli.rules", "List every code that a report can hold."),
    "schema": Lazy(
        "gradflow.cli.schema", "Print the JSON Schema of the report or the configuration."
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="gradflow")
def main() -> None:
    """Show which weights of a TensorFlow model get no gradient, and what cuts them off."""
