"""``gradflow scan``: look through models for what could do harm, and run nothing of them."""

from __future__ import annotations

from typing import Any

import click

from gradflow.analysis.result import report_of
from gradflow.cli.formats import warming
from gradflow.cli.options import (
    COLOR,
    FORMAT,
    LIMITS,
    TALK,
    report_targets,
    scan_options,
    with_options,
)
from gradflow.cli.output import Stderr, emit
from gradflow.cli.signals import orderly_end
from gradflow.findings import Status
from gradflow.process.parent import scan_path

_IMPORT = (
    click.option(
        "--import",
        "imports",
        metavar="MODULE",
        multiple=True,
        help="Let layers and ops of your own in that MODULE brings, without importing it; "
        "repeatable.",
    ),
)
_ALL = (
    click.option("--all", "show_all", is_flag=True, help="Text: list everything that was found."),
)


@click.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@with_options(FORMAT, _IMPORT, LIMITS, _ALL, COLOR, TALK)
@click.pass_context
def scan(context: click.Context, /, models: tuple[str, ...], **given: Any) -> None:
    """Look through each MODEL for what could do harm when it is loaded or run. TensorFlow is never
    imported.

    It is what inspect and check do before they load a model. Exit code 0 where nothing is found, 2
    where something is, or the model could not be read.
    """
    options, targets = scan_options(given), report_targets(given)
    stderr = Stderr(quiet=given["quiet"], verbose=given["verbose"])
    outcomes = []
    formats = [format for format, _ in targets]
    for path in models:
        with orderly_end(), stderr.progress(path) as stage:
            outcomes.append(scan_path(path, options, warming(stage, formats)))
    report = report_of([(outcome.tool, outcome.model) for outcome in outcomes])
    emit(report, targets, show_all=given["show_all"])
    stderr.closing(report, on_screen=given["out"] is None and given["format"] == "text")
    context.exit(2 if any(model.status is Status.FAILED for model in report.models) else 0)
