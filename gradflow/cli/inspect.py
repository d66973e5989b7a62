"""``gradflow inspect``: analyse models and show what was found."""

from __future__ import annotations

from typing import Any

import click

from gradflow.analysis.result import report_of
from gradflow.cli.entries import LIST, show_entries
from gradflow.cli.formats import warming
from gradflow.cli.needs_tensorflow import require_tensorflow
from gradflow.cli.options import (
    ANALYSIS,
    COLOR,
    FORMAT,
    TALK,
    analysis_options,
    report_targets,
    with_options,
)
from gradflow.cli.output import Stderr, emit
from gradflow.cli.signals import orderly_end
from gradflow.findings import Report, Severity, Status
from gradflow.process.parent import inspect_path

_BROKEN = {"error": {Severity.ERROR}, "warning": {Severity.ERROR, Severity.WARNING}}

_JUDGEMENT = (
    click.option(
        "--fail-on",
        type=click.Choice(["error", "warning"]),
        help="Exit 1 when something this bad is found.",
    ),
    click.option("--exit-zero", is_flag=True, help="Exit 0 instead of 1."),
)


@click.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@with_options(FORMAT, ANALYSIS, _JUDGEMENT, COLOR, TALK)
@click.pass_context
def inspect(context: click.Context, /, models: tuple[str, ...], **given: Any) -> None:
    """Run one real gradient step on each MODEL and show which weights it does not reach, and why.

    MODEL is a SavedModel folder, a .keras or a .h5 file. Exit code 0 whatever is found, unless
    --fail-on is given; 2 when a model could not be checked.
    """
    options, targets = analysis_options(given), report_targets(given)
    if options.entry == LIST:
        context.exit(show_entries(models, options, targets))
    if given["fail_on"]:
        # Its exit code is a judgement, as that of check.
        require_tensorflow(f"inspect --fail-on {given['fail_on']}", models, [options])
    stderr = Stderr(quiet=given["quiet"], verbose=given["verbose"])
    outcomes = []
    formats = [format for format, _ in targets]
    for path in models:
        with orderly_end(), stderr.progress(path) as stage:
            outcomes.append(inspect_path(path, options, warming(stage, formats)))
        stderr.remark(outcomes[-1].remark)
    report = report_of([(outcome.tool, outcome.model) for outcome in outcomes])
    emit(report, targets, show_all=given["show_all"])
    stderr.closing(report, on_screen=given["out"] is None and given["format"] == "text")
    context.exit(exit_code(report, given["fail_on"], exit_zero=given["exit_zero"]))


def exit_code(report: Report, fail_on: str | None, *, exit_zero: bool) -> int:
    """2: a model could not be checked; 1: a finding as bad as ``fail_on``; 0: neither. 2 outranks
    1."""
    if any(model.status is Status.FAILED for model in report.models):
        return 2
    broken = _BROKEN.get(fail_on or "", set())
    if any(finding.severity in broken for model in report.models for finding in model.findings):
        return 0 if exit_zero else 1
    return 0
