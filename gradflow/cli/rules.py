"""``gradflow explain`` and ``gradflow rules``: what the codes of a report mean."""

from __future__ import annotations

import click

from gradflow.catalogue import CATALOGUE, look_up
from gradflow.cli.options import ANSWER_FORMAT, COLOR, refuse_out, with_options
from gradflow.cli.output import Target, command_errors


@click.command()
@click.argument("code")
@with_options(ANSWER_FORMAT, COLOR)
def explain(code: str, format: str, out: str | None, no_color: bool) -> None:
    """Tell what CODE means: why it happens, an example, how to fix it, and when it is right.

    CODE is a code of a report or the word that stands for it: GF202, non_differentiable. gradflow
    rules lists them.
    """
    with command_errors():
        item = look_up(code)
    refuse_out(out)
    # Imported where it is needed: help and a typing error do without.
    from gradflow.report.answers.codes import EXPLANATION

    target = Target(out, no_color)
    target.write(EXPLANATION[format](item, target.layout()))


@click.command()
@with_options(ANSWER_FORMAT, COLOR)
def rules(format: str, out: str | None, no_color: bool) -> None:
    """List every code that a report can hold."""
    refuse_out(out)
    from gradflow.report.answers.codes import TABLE

    target = Target(out, no_color)
    target.write(TABLE[format](list(CATALOGUE.values()), target.layout()))
