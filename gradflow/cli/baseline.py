"""``gradflow baseline``: write down what models are like, for ``check --baseline`` to accept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import click

from gradflow.audit import check_model, render_baseline
from gradflow.cli.help import Command
from gradflow.cli.models import Expected, planned
from gradflow.cli.needs_tensorflow import require_tensorflow
from gradflow.cli.options import (
    MODEL_PATH,
    Analysis,
    FileOutput,
    Messages,
    force_option,
    out_file,
    with_options,
)
from gradflow.cli.out_file import OutFile
from gradflow.cli.output import Stderr, Target
from gradflow.cli.signals import orderly_end
from gradflow.findings import Status
from gradflow.policy import Snapshot, snapshot

_MARK = r'\{ ?"schema": "gradflow-baseline-'


@dataclass(frozen=True, slots=True)
class BaselineOutput(FileOutput):
    """Where the baseline goes."""

    heading: ClassVar[str] = "Baseline"

    out: str | None = out_file("Write the baseline to FILE.")
    force: bool = force_option("no baseline of gradflow")

    def files(self) -> list[OutFile]:
        """Return the file of ``-o``."""
        return [] if self.out is None else [OutFile("-o", self.out, "a baseline", _MARK)]


@click.command(
    cls=Command,
    examples=(
        "gradflow baseline model.keras -o baseline.json",
        "gradflow baseline -c gradflow.yaml -o baseline.json",
    ),
)
@click.argument("models", metavar="[MODEL]...", nargs=-1, type=MODEL_PATH)
@with_options(output=BaselineOutput, expected=Expected, analysis=Analysis, messages=Messages)
@click.pass_context
def baseline(
    context: click.Context,
    /,
    models: tuple[str, ...],
    output: BaselineOutput,
    expected: Expected,
    analysis: Analysis,
    messages: Messages,
) -> None:
    """Write down what each MODEL is like today: what is frozen, what gets a gradient, what is
    found.

    gradflow check --baseline FILE then accepts it and fails on what is new. Exit code 2, and
    nothing is written, when a model could not be checked.
    """
    stderr = Stderr(messages.quiet, messages.verbose)
    plans, remarks = planned(models, expected, analysis, messages)
    require_tensorflow("baseline", models, (plan.options for plan in plans))
    for remark in remarks:
        stderr.remark(remark)
    entries: dict[str, Snapshot] = {}
    is_whole = True
    for plan in plans:
        with orderly_end(), stderr.progress(plan.path) as stage:
            result = check_model(plan, date.today(), None, stage)
        if result.model.status is Status.FAILED:
            stderr.failure(result.model)
            is_whole = False
        entries[plan.name or plan.path] = snapshot(result.model)
    if is_whole:
        Target(output.out, no_color=True).write(render_baseline(entries))
    context.exit(0 if is_whole else 2)
