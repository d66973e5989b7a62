"""``gradflow why``: follow one variable of a model to the output, and say what would bring its
gradient back."""

from __future__ import annotations

from dataclasses import replace

import click

from gradflow.cli.help import Command
from gradflow.cli.models import one_model
from gradflow.cli.options import (
    MODEL_PATH,
    Analysis,
    LongAnswerOutput,
    Messages,
    with_options,
)
from gradflow.cli.output import Stderr
from gradflow.cli.run import Kept, engine
from gradflow.options import Options


@click.command(
    cls=Command,
    examples=(
        "gradflow why model.keras encoder/dense/kernel",
        "gradflow why exported/ dense_1/kernel --format json -o why.json",
    ),
)
@click.argument("model", type=MODEL_PATH)
@click.argument("variable")
@with_options(output=LongAnswerOutput, analysis=Analysis, run=Kept, messages=Messages)
@click.pass_context
def why(
    context: click.Context,
    /,
    model: str,
    variable: str,
    output: LongAnswerOutput,
    analysis: Analysis,
    run: Kept,
    messages: Messages,
) -> None:
    """Show the path from one VARIABLE of MODEL to the output: each cut on it, what lies behind the
    cut, and the smallest repair, which is tried in a step.

    VARIABLE is its name, or the end of it where no other name ends so: kernel, dense_1/kernel. Exit
    code 0 whatever is found; 2 when there is no such variable, or the model could not be checked.
    """
    options = replace(analysis.over(Options(), messages), why=variable)
    stderr = Stderr(messages.quiet, messages.verbose)
    stderr.remarks(analysis.remark(options), output.remark())
    path = one_model(model, "why follows a variable of one")
    with engine(1, run, stderr) as running:
        [outcome] = running.inspected([path], options).whole()
    target = output.target
    # Imported where it is needed, as for the report.
    from gradflow.report.answers.why import RENDERERS, Answer, headline

    answer = Answer(outcome.tool, outcome.model, outcome.route)
    layout = target.layout(show_all=output.show_all, show_ops=messages.verbose)
    target.write(RENDERERS[output.format](answer, layout))
    failed = outcome.route is None
    if target.out is not None or output.format != "text":
        stderr.answer(headline(outcome.model, outcome.route), failed=failed)
    context.exit(2 if failed else 0)
