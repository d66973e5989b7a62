"""``gradflow baseline``: accept what is there today, so that ``check --baseline`` fails on what is
new only."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from gradflow.audit import check_model, is_about_flags_only, render_baseline
from gradflow.cli.models import CONFIG, EXPECTED, planned
from gradflow.cli.needs_tensorflow import require_tensorflow
from gradflow.cli.options import ANALYSIS, TALK, with_options
from gradflow.cli.output import Stderr, Target
from gradflow.cli.signals import orderly_end
from gradflow.findings import Status
from gradflow.policy import Snapshot, snapshot

_OUT = (
    click.option(
        "-o", "--out", metavar="FILE", type=click.Path(dir_okay=False), help="Write it to FILE."
    ),
)


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@with_options(_OUT, CONFIG, EXPECTED, ANALYSIS, TALK)
@click.pass_context
def baseline(context: click.Context, /, models: tuple[str, ...], **given: Any) -> None:
    """Write down what each MODEL is like today: what is frozen, what gets a gradient, what is
    found.

    gradflow check --baseline FILE then accepts it and fails on what is new. Exit code 2, and
    nothing is written, when a model could not be checked.
    """
    stderr = Stderr(quiet=given["quiet"], verbose=given["verbose"])
    plans, remarks = planned(context, models, given)
    require_tensorflow(
        "baseline", models, (plan.options for plan in plans if not is_about_flags_only(plan))
    )
    for remark in remarks:
        stderr.remark(remark)
    taken: dict[str, Snapshot] = {}
    is_whole = True
    for plan in plans:
        with orderly_end(), stderr.progress(plan.path) as stage:
            one = check_model(plan, date.today(), None, stage)
        if one.model.status is Status.FAILED:
            stderr.failure(one.model)
            is_whole = False
        taken[plan.name or plan.path] = snapshot(one.model)
    if is_whole:
        Target(given["out"], no_color=True).write(render_baseline(taken))
    context.exit(0 if is_whole else 2)
