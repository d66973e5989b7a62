"""``gradflow scan``: search models for what could do harm, and run nothing of them."""

from __future__ import annotations

import click

from gradflow.analysis.result import report_of
from gradflow.cli.help import Command, Option
from gradflow.cli.options import MODEL_PATH, Messages, ReportOutput, ScanLimits, with_options
from gradflow.cli.output import Stderr, emit
from gradflow.cli.run import Jobs, scanner
from gradflow.findings import Status
from gradflow.options import Options
from gradflow.process.models import models_at


@click.command(
    cls=Command,
    examples=(
        "gradflow scan downloaded.keras",
        "gradflow scan models/encoder models/decoder.h5 --format sarif -o scan.sarif",
    ),
)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=MODEL_PATH)
@click.option(
    "--about-this-machine",
    cls=Option,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _option, value: _show_confinement(context, is_asked=value),
    help="Show what confines the process of a model here, and what it can still do, and exit.",
)
@with_options(output=ReportOutput, limits=ScanLimits, run=Jobs, messages=Messages)
@click.pass_context
def scan(
    context: click.Context,
    /,
    models: tuple[str, ...],
    output: ReportOutput,
    limits: ScanLimits,
    run: Jobs,
    messages: Messages,
) -> None:
    """Search each MODEL for what could do harm when it is loaded or run. TensorFlow is never
    imported.

    It is what inspect and check do before they load a model. Exit code 0 where nothing is found, 2
    where something is, or the model could not be read.
    """
    options, targets = limits.over(Options(), messages), output.targets()
    stderr = Stderr(messages.quiet, messages.verbose)
    found = models_at(models)
    stderr.remarks(output.remark(), *found.remarks)
    with scanner(len(found.paths), run, stderr, [format for format, _ in targets]) as running:
        done = running.inspected(found.paths, options)
    report = report_of([(outcome.tool, outcome.model) for outcome in done.results])
    if done.results:
        emit(report, targets, show_all=output.show_all)
    done.whole()
    stderr.closing(report, on_screen=output.is_on_screen)
    context.exit(2 if any(model.status is Status.FAILED for model in report.models) else 0)


def _show_confinement(context: click.Context, *, is_asked: bool) -> None:
    if not is_asked or context.resilient_parsing:
        return
    from gradflow.process.sandbox.about import lines_here  # seldom needed

    click.echo("\n".join(lines_here()))
    context.exit()
