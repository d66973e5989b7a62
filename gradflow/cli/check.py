"""``gradflow check``: hold models against what is expected of them, for CI."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import click

from gradflow.analysis.result import report_of
from gradflow.audit import Checked, check_model, is_about_flags_only, of_model
from gradflow.cli.formats import warming
from gradflow.cli.judging import JUDGEMENT, anchors_of, baseline_of, exit_code
from gradflow.cli.models import CONFIG, EXPECTED, codes, planned
from gradflow.cli.needs_tensorflow import require_tensorflow
from gradflow.cli.options import ANALYSIS, COLOR, FORMAT, TALK, report_targets, with_options
from gradflow.cli.output import Stderr, emit
from gradflow.cli.signals import orderly_end
from gradflow.policy import selected


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@with_options(CONFIG, EXPECTED, JUDGEMENT, FORMAT, ANALYSIS, COLOR, TALK)
@click.pass_context
def check(context: click.Context, /, models: tuple[str, ...], **given: Any) -> None:
    """Hold each MODEL, or those of the configuration, against what is expected of it.

    Without a configuration nothing is expected to be frozen, and every weight to get a gradient.
    Exit code 1 when an expectation is broken or a finding is as bad as --fail-on; 2 when a model
    could not be checked.
    """
    stderr = Stderr(quiet=given["quiet"], verbose=given["verbose"])
    ignored, targets = codes(given["ignore"]), report_targets(given)
    plans, remarks = planned(context, models, given)
    baseline = baseline_of(given["baseline"])
    require_tensorflow(
        "check", models, (plan.options for plan in plans if not is_about_flags_only(plan))
    )
    for remark in remarks:
        stderr.remark(remark)
    checked: list[Checked] = []
    formats = [format for format, _ in targets]
    for plan in plans:
        known = None if baseline is None else of_model(baseline, plan)
        if baseline is not None and known is None:
            stderr.remark(
                f"{plan.path}: is not in {given['baseline']}, so that everything counts as new"
            )
        with orderly_end(), stderr.progress(plan.path) as stage:
            one = check_model(plan, date.today(), known, warming(stage, formats))
        checked.append(replace(one, model=selected(one.model, (), ignored)))
        stderr.remark(one.remark)
    report = report_of([(one.tool, one.model) for one in checked])
    emit(report, targets, show_all=given["show_all"], anchors=anchors_of(plans))
    stderr.judged("check", [(one.model, one.is_broken) for one in checked])
    context.exit(exit_code(checked, exit_zero=given["exit_zero"]))
