"""``gradflow check``: compare models with what is expected of them, for CI."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import click

from gradflow.analysis.result import report_of
from gradflow.audit import Checked, check_model, of_model
from gradflow.cli.exit_codes import exit_code
from gradflow.cli.formats import warming
from gradflow.cli.help import Command
from gradflow.cli.judging import Judgement, anchors_of, baseline_of
from gradflow.cli.models import Expected, codes, planned
from gradflow.cli.needs_tensorflow import require_tensorflow
from gradflow.cli.options import MODEL_PATH, Analysis, Messages, ReportOutput, with_options
from gradflow.cli.output import Stderr, emit
from gradflow.cli.signals import orderly_end
from gradflow.policy import selected


@click.command(
    cls=Command,
    examples=(
        "gradflow check model.keras --expect-frozen 'backbone/**'",
        "gradflow check -c gradflow.yaml --report sarif=gradflow.sarif",
    ),
)
@click.argument("models", metavar="[MODEL]...", nargs=-1, type=MODEL_PATH)
@with_options(
    expected=Expected,
    judgement=Judgement,
    output=ReportOutput,
    analysis=Analysis,
    messages=Messages,
)
@click.pass_context
def check(
    context: click.Context,
    /,
    models: tuple[str, ...],
    expected: Expected,
    judgement: Judgement,
    output: ReportOutput,
    analysis: Analysis,
    messages: Messages,
) -> None:
    """Compare each MODEL, or those of the configuration, with what is expected of it.

    Without a configuration nothing is expected to be frozen, and every weight to get a gradient.
    Exit code 1 when an expectation is broken or a finding is as bad as --fail-on; 2 when a model
    could not be checked.
    """
    stderr = Stderr(messages.quiet, messages.verbose)
    ignored, targets = codes(judgement.ignore), output.targets()
    plans, remarks = planned(models, expected, analysis, messages, judgement)
    plans = [replace(plan, options=output.over(plan.options)) for plan in plans]
    baseline = baseline_of(judgement.baseline)
    require_tensorflow("check", models, (plan.options for plan in plans))
    for remark in (*remarks, output.remark()):
        stderr.remark(remark)
    checked: list[Checked] = []
    formats = [format for format, _ in targets]
    for plan in plans:
        accepted = None if baseline is None else of_model(baseline, plan)
        if baseline is not None and accepted is None:
            stderr.remark(
                f"{plan.path}: is not in {judgement.baseline}; all its findings count as new"
            )
        with orderly_end(), stderr.progress(plan.path) as stage:
            result = check_model(plan, date.today(), accepted, warming(stage, formats))
        checked.append(replace(result, model=selected(result.model, (), ignored)))
        stderr.remark(result.remark)
    report = report_of([(result.tool, result.model) for result in checked])
    emit(
        report,
        targets,
        show_all=output.show_all,
        show_ops=messages.verbose,
        anchors=anchors_of(plans),
    )
    judged = [(result.model, result.is_broken) for result in checked]
    stderr.judged("check", judged)
    context.exit(exit_code(judged, exit_zero=judgement.exit_zero))
