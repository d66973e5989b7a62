"""``gradflow baseline``: write down what models are like, for ``check --baseline`` to accept."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

import click

from gradflow.audit.baseline_file import render_baseline
from gradflow.audit.check_model import check_model
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
from gradflow.cli.run import Run, engine
from gradflow.findings import Status
from gradflow.lazy_dataclass import dataclass
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
@with_options(
    output=BaselineOutput, expected=Expected, analysis=Analysis, run=Run, messages=Messages
)
@click.pass_context
def baseline(
    context: click.Context,
    /,
    models: tuple[str, ...],
    output: BaselineOutput,
    expected: Expected,
    analysis: Analysis,
    run: Run,
    messages: Messages,
) -> None:
    """Write down what each MODEL is like today: what is frozen, what gets a gradient, what is
    found.

    gradflow check --baseline FILE then accepts it and fails on what is new. Exit code 2, and
    nothing is written, when a model could not be checked.
    """
    stderr = Stderr(messages.quiet, messages.verbose)
    planned_models = planned(models, expected, analysis, messages)
    plans = planned_models.plans
    require_tensorflow("baseline", models, (plan.options for plan in plans))
    stderr.remarks(*planned_models.remarks)
    with engine(len(plans), run, stderr) as running:
        checked = running.checked(
            plans,
            lambda plan, progress: check_model(
                plan, date.today(), progress=progress, inspect=running.inspect
            ),
        ).whole()
    entries: dict[str, Snapshot] = {}
    is_whole = True
    for result in checked:
        if result.model.status is Status.FAILED:
            stderr.failure(result.model)
            is_whole = False
        entries[result.plan.name or result.plan.path] = snapshot(result.model)
    if is_whole:
        Target(output.out, no_color=True).write(render_baseline(entries))
        # Imported where it is needed: help and a failure do without.
        from gradflow.config.template import accepted_words

        stderr.remarks(*accepted_words(result.model for result in checked))
        if output.out is not None:
            use = f"gradflow check --baseline {output.out}"
            stderr.remark(f"{output.out} is written; {use} fails on what is new")
    context.exit(0 if is_whole else 2)
