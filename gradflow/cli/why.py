"""``gradflow why``: follow one variable of a model to the output, and say what would bring its
gradient back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from gradflow.cli.options import (
    ANALYSIS,
    ANSWER_FORMAT,
    COLOR,
    TALK,
    analysis_options,
    with_options,
)
from gradflow.cli.output import Stderr, Target
from gradflow.cli.signals import orderly_end
from gradflow.process.parent import inspect_path


@click.command()
@click.argument("model")
@click.argument("variable")
@with_options(ANSWER_FORMAT, ANALYSIS, COLOR, TALK)
@click.pass_context
def why(context: click.Context, /, model: str, variable: str, **given: Any) -> None:
    """Show the way of one VARIABLE of MODEL to the output: each cut on it, what is behind it, the
    smallest repair.

    VARIABLE is its name, or the end of it where no other name ends so: kernel, dense_1/kernel. Exit
    code 0 whatever is found; 2 when there is no such variable, or the model could not be checked.
    """
    options = replace(analysis_options(given), why=variable)
    stderr = Stderr(quiet=given["quiet"], verbose=given["verbose"])
    with orderly_end(), stderr.progress(model) as stage:
        outcome = inspect_path(model, options, stage)
    stderr.remark(outcome.remark)
    target = Target(given["out"], given["no_color"])
    # Imported where it is needed, as for the report.
    from gradflow.report.answers.why import RENDERERS, Answer, headline

    answer = Answer(outcome.tool, outcome.model, outcome.route)
    target.write(RENDERERS[given["format"]](answer, target.layout(show_all=given["show_all"])))
    failed = outcome.route is None
    if target.out is not None or given["format"] != "text":
        stderr.answer(headline(outcome.model, outcome.route), failed=failed)
    context.exit(2 if failed else 0)
