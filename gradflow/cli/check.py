"""``gradflow check``: hold models against what is expected of them, for CI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from gradflow.audit import Checked, check_model, of_model, read_baseline
from gradflow.cli.ending import orderly_end
from gradflow.cli.options import ANALYSIS, COLOR, FORMAT, TALK, report_targets, with_options
from gradflow.cli.planned import CONFIG, EXPECTED, codes, planned
from gradflow.cli.stream import CommandError, Stderr, emit
from gradflow.config import ModelPlan
from gradflow.errors import UsageError
from gradflow.findings import Report, Status
from gradflow.policy import selected

_JUDGEMENT = (
    click.option(
        "--baseline",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Accept what is in FILE (gradflow baseline): only what is new counts.",
    ),
    click.option(
        "--fail-on",
        type=click.Choice(["error", "warning"]),
        help="The mildest finding that breaks the build.  [default: warning]",
    ),
    click.option("--select", metavar="CODES", multiple=True, help="Only findings of these codes count: GF2,GF401."),
    click.option("--ignore", metavar="CODES", multiple=True, help="Findings of these codes do not count."),
    click.option("--exit-zero", is_flag=True, help="Exit 0 instead of 1."),
)


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@with_options(CONFIG, EXPECTED, _JUDGEMENT, FORMAT, ANALYSIS, COLOR, TALK)
@click.pass_context
def check(context: click.Context, /, models: tuple[str, ...], **given: Any) -> None:
    """Hold each MODEL, or those of the configuration, against what is expected of it.

    Without a configuration nothing is expected to be frozen, and every weight to get a gradient. Exit code 1 when an
    expectation is broken or a finding is as bad as --fail-on; 2 when a model could not be checked.
    """
    stderr = Stderr(quiet=given["quiet"], verbose=given["verbose"])
    ignored, targets = codes(given["ignore"]), report_targets(given)
    plans, remarks = planned(context, models, given)
    baseline = _baseline(given["baseline"])
    for remark in remarks:
        stderr.remark(remark)
    checked: list[Checked] = []
    for plan in plans:
        known = None if baseline is None else of_model(baseline, plan)
        if baseline is not None and known is None:
            stderr.remark(f"{plan.path}: is not in {given['baseline']}, so that everything counts as new")
        with orderly_end(), stderr.progress(plan.path) as stage:
            one = check_model(plan, date.today(), known, stage)
        checked.append(replace(one, model=selected(one.model, (), ignored)))
        stderr.remark(one.remark)
    tool = next((one.tool for one in checked if one.tool.tensorflow), checked[0].tool)
    report = Report(tool, tuple(one.model for one in checked))
    emit(report, targets, show_all=given["show_all"], anchors=_anchors(plans))
    stderr.judged([(one.model, one.is_broken) for one in checked])
    context.exit(_exit_code(checked, exit_zero=given["exit_zero"]))


def _exit_code(checked: list[Checked], *, exit_zero: bool) -> int:
    if any(one.model.status is Status.FAILED for one in checked):
        return 2
    return 1 if any(one.is_broken for one in checked) and not exit_zero else 0


def _anchors(plans: Sequence[ModelPlan]) -> dict[str, Any]:
    """Findings are shown at the line that names the model, where one does."""
    from gradflow.report.anchors import Anchor  # as for the report: a wrong option does without

    named = ((one.path, one.anchor) for one in plans)
    return {path: Anchor(anchor.file, anchor.line) for path, anchor in named if anchor is not None}


def _baseline(path: str | None) -> Any:
    if path is None:
        return None
    try:
        return read_baseline(Path(path))
    except UsageError as error:
        raise CommandError(f"{error.message}: {error.hint}") from error
