"""Name the commands of ``gradflow``."""

from __future__ import annotations

import click

from gradflow.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "inspect": Lazy("gradflow.cli.inspect", "Show which weights get no gradient, and why."),
    "check": Lazy("gradflow.cli.check", "Compare models with what is expected of them, for CI."),
    "audit": Lazy("gradflow.cli.audit", "Check every model of a configuration, several at a time."),
    "init": Lazy("gradflow.cli.init", "Write a gradflow.yaml from what models show today."),
    "baseline": Lazy("gradflow.cli.baseline", "Accept what is there today."),
    "diff": Lazy("gradflow.cli.diff", "Show what has changed between two models or reports."),
    "scan": Lazy("gradflow.cli.scan", "Search for what could do harm, and run nothing."),
    "cache": Lazy("gradflow.cli.cache", "Show or clear the results that are kept."),
    "why": Lazy("gradflow.cli.why", "Show what keeps the gradient from one variable."),
    "explain": Lazy("gradflow.cli.rules", "Tell what a code of a report means."),
    "rules": Lazy("gradflow.cli.rules", "List every code that a report can hold."),
    "schema": Lazy(
        "gradflow.cli.schema", "Print the JSON Schema of the report or the configuration."
    ),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples=("gradflow inspect model.keras", "gradflow why model.keras dense_1/kernel"),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _option, value: _show_versions(context, is_asked=value),
    help="Show the versions of gradflow and of what it runs on, and exit.",
)
def main() -> None:
    """Show which weights of a TensorFlow model get no gradient, and what cuts them off."""


def _show_versions(context: click.Context, *, is_asked: bool) -> None:
    if not is_asked or context.resilient_parsing:
        return
    from gradflow.cli.versions import versions

    click.echo(versions())
    context.exit()
