"""``gradflow check``: compare models with what is expected of them, for CI."""

from __future__ import annotations

import click

from gradflow.cli.help import Command
from gradflow.cli.judging import Judgement, judge_models
from gradflow.cli.models import Expected, planned
from gradflow.cli.needs_tensorflow import require_tensorflow
from gradflow.cli.options import MODEL_PATH, Messages, ReportAnalysis, ReportOutput, with_options
from gradflow.cli.output import Stderr
from gradflow.cli.run import Run, engine


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
    analysis=ReportAnalysis,
    run=Run,
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
    analysis: ReportAnalysis,
    run: Run,
    messages: Messages,
) -> None:
    """Compare each MODEL, or those of the configuration, with what is expected of it.

    Without a configuration nothing is expected to be frozen, and every weight to get a gradient.
    Exit code 1 when an expectation is broken or a finding is as bad as --fail-on; 2 when a model
    could not be checked.
    """
    formats = [format for format, _ in output.targets()]
    planned_models = planned(models, expected, analysis, messages, judgement)
    plans = planned_models.plans
    require_tensorflow("check", models, (plan.options for plan in plans))
    stderr = Stderr(messages.quiet, messages.verbose)
    stderr.remarks(*planned_models.remarks, output.remark(), analysis.remark_of_map(formats))
    running = engine(len(plans), run, stderr, formats)
    judge_models(context, plans, running, judgement=judgement, output=output, stderr=stderr)
