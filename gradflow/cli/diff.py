"""``gradflow diff``: show what has changed between two model files."""

from __future__ import annotations

from pathlib import Path

import click

from gradflow.audit.history import is_report, read_report
from gradflow.cli.exit_codes import exit_zero_option
from gradflow.cli.help import Command
from gradflow.cli.models import one_model
from gradflow.cli.options import (
    MODEL_PATH,
    Analysis,
    LongAnswerOutput,
    Messages,
    with_options,
    without_effect,
)
from gradflow.cli.output import Stderr, command_errors
from gradflow.cli.run import Run, engine
from gradflow.findings import Status
from gradflow.lazy_dataclass import dataclass
from gradflow.options import Options
from gradflow.policy import aligned, compare, not_compared, snapshot, trends


@dataclass(frozen=True, slots=True)
class ChangesOutput(LongAnswerOutput):
    """What the changes are written as, and the exit code."""

    exit_zero: bool = exit_zero_option("Exit 0 where they differ.")


@click.command(
    cls=Command,
    examples=(
        "gradflow diff before.keras after.keras",
        "gradflow diff model.keras exported/ --format json",
    ),
)
@click.argument("before", metavar="A", type=MODEL_PATH)
@click.argument("after", metavar="B", type=MODEL_PATH)
@with_options(output=ChangesOutput, analysis=Analysis, run=Run, messages=Messages)
@click.pass_context
def diff(
    context: click.Context,
    /,
    before: str,
    after: str,
    output: ChangesOutput,
    analysis: Analysis,
    run: Run,
    messages: Messages,
) -> None:
    """Show which weights are frozen, unfrozen, new or gone in B, and which gained or lost their
    gradient since A.

    A and B may have different formats: a .keras file and its export. Two reports (.json) of audit
    --history or of --format json are compared model by model. Exit code 1 where they differ, as
    with the command diff; 2 when one of them could not be checked.
    """
    stderr = Stderr(messages.quiet, messages.verbose)
    stderr.remark(output.remark())
    if is_report(before) and is_report(after):
        stderr.remark(without_effect(analysis.written, "on two reports, which are only compared"))
        differs = _diff_reports(before, after, output)
        context.exit(1 if differs and not output.exit_zero else 0)
    options = analysis.over(Options(), messages)
    stderr.remark(analysis.remark(options))
    paths = [one_model(path, "diff compares two") for path in (before, after)]
    with engine(len(paths), run, stderr) as running:
        outcomes = running.inspected(paths, options).whole()
    reports = [outcome.model for outcome in outcomes]
    failed = [model for model in reports if model.status is Status.FAILED]
    for model in failed:
        stderr.failure(model)
    if failed:
        context.exit(2)
    names = [variable.name for variable in reports[1].variables]
    base = aligned(snapshot(reports[0]), names)
    changes, unknown = compare(base, reports[1]), not_compared(base, reports[1])
    # Imported where they are needed, as for the report.
    from gradflow.report.answers.diff import OF_MODELS, ModelDiff

    answer, target = ModelDiff(before, after, changes, unknown), output.target
    target.write(OF_MODELS[output.format](answer, target.layout(show_all=output.show_all)))
    context.exit(1 if changes and not output.exit_zero else 0)


def _diff_reports(before: str, after: str, output: ChangesOutput) -> bool:
    """Show what has changed between two reports; return whether anything has."""
    from gradflow.report.answers.diff import OF_REPORTS, ReportDiff

    with command_errors():
        changed = trends(read_report(Path(before)), read_report(Path(after)))
    answer, target = ReportDiff(before, after, changed), output.target
    target.write(OF_REPORTS[output.format](answer, target.layout(show_all=output.show_all)))
    return bool(changed)
