"""``gradflow explain`` and ``gradflow rules``: tell what the codes of a report mean."""

from __future__ import annotations

import click

from gradflow.catalogue import CATALOGUE, look_up
from gradflow.cli.help import Command
from gradflow.cli.options import AnswerOutput, with_options
from gradflow.cli.output import command_errors


@click.command(
    cls=Command, examples=("gradflow explain GF202", "gradflow explain stop_gradient --format json")
)
@click.argument("code")
@with_options(output=AnswerOutput)
def explain(code: str, output: AnswerOutput) -> None:
    """Tell what CODE means: why it happens, an example, how to fix it, and when it is right.

    CODE is a code of a report or the word that stands for it: GF202, non_differentiable. gradflow
    rules lists them.
    """
    with command_errors():
        entry = look_up(code)
    # Imported where it is needed: help and a typing error do without.
    from gradflow.report.answers.codes import EXPLANATION

    target = output.target
    target.write(EXPLANATION[output.format](entry, target.layout()))


@click.command(cls=Command, examples=("gradflow rules", "gradflow rules --format json"))
@with_options(output=AnswerOutput)
def rules(output: AnswerOutput) -> None:
    """List every code that a report can hold."""
    from gradflow.report.answers.codes import TABLE

    target = output.target
    target.write(TABLE[output.format](list(CATALOGUE.values()), target.layout()))
