"""``gradflow diff``: what has changed between two model files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gradflow.audit.history import is_report, read_report
from gradflow.cli.options import ANALYSIS, COLOR, TALK, analysis_options, refuse_out, with_options
from gradflow.cli.output import Stderr, Target, command_errors
from gradflow.cli.signals import orderly_end
from gradflow.findings import ModelReport, Status
from gradflow.policy import aligned, compare, not_compared, snapshot, trends
from gradflow.process.parent import inspect_path
from gradflow.report.formats import ANSWER_FORMATS

_FORMAT = (
    click.option(
        "--format",
        type=click.Choice(ANSWER_FORMATS),
        default="text",
        show_default=True,
        help="Of the answer.",
    ),
    click.option(
        "-o",
        "--out",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Write the answer to FILE.",
    ),
    click.option("--exit-zero", is_flag=True, help="Exit 0 where they differ."),
)


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@with_options(_FORMAT, ANALYSIS, COLOR, TALK)
@click.pass_context
def diff(context: click.Context, /, before: str, after: str, **given: Any) -> None:
    """Show which weights are frozen, unfrozen, new or gone in B, and which gained or lost their
    gradient since A.

    A and B may have different formats: a .keras file and its export. Two reports (.json) of audit
    --history or of --format json are compared model by model. Exit code 1 where they differ, as
    diff has it; 2 when one of them could not be checked.
    """
    if is_report(before) and is_report(after):
        context.exit(1 if _diff_reports(before, after, given) and not given["exit_zero"] else 0)
    stderr = Stderr(quiet=given["quiet"], verbose=given["verbose"])
    options = analysis_options(given)
    reports: list[ModelReport] = []
    for path in (before, after):
        with orderly_end(), stderr.progress(path) as stage:
            outcome = inspect_path(path, options, stage)
        stderr.remark(outcome.remark)
        reports.append(outcome.model)
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

    answer = ModelDiff(before, after, changes, unknown)
    target = Target(given["out"], given["no_color"])
    target.write(OF_MODELS[given["format"]](answer, target.layout(show_all=given["show_all"])))
    context.exit(1 if changes and not given["exit_zero"] else 0)


def _diff_reports(before: str, after: str, given: dict[str, Any]) -> bool:
    """Show what has changed between two reports; whether anything has."""
    from gradflow.report.answers.diff import OF_REPORTS, ReportDiff

    refuse_out(given["out"])
    with command_errors():
        changed = trends(read_report(Path(before)), read_report(Path(after)))
    answer = ReportDiff(before, after, changed)
    target = Target(given["out"], given["no_color"])
    target.write(OF_REPORTS[given["format"]](answer, target.layout(show_all=given["show_all"])))
    return bool(changed)
