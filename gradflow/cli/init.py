"""``gradflow init``: write a commented gradflow.yaml from what models show today."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from gradflow.cli.needs_tensorflow import require_tensorflow
from gradflow.cli.options import ANALYSIS, TALK, analysis_options, with_options
from gradflow.cli.output import CommandError, Stderr, Target
from gradflow.cli.signals import orderly_end
from gradflow.findings import ModelReport, Status
from gradflow.process.parent import inspect_path

_OUT = (
    click.option(
        "-o",
        "--out",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        default="gradflow.yaml",
        show_default=True,
        help="Write it to FILE.",
    ),
    click.option("--force", is_flag=True, help="Write over a file that is there."),
)


@click.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@with_options(_OUT, ANALYSIS, TALK)
@click.pass_context
def init(context: click.Context, /, models: tuple[str, ...], **given: Any) -> None:
    """Write a configuration that each MODEL keeps as it is today, with a comment to each part.

    What is found today is written as ignores, for you to mend or to give a reason for. Exit code 2,
    and nothing is written, when a model could not be checked.
    """
    out = Path(given["out"])
    if out.exists() and not given["force"]:
        raise CommandError(
            f"{out}: is there already; --force writes over it, -o FILE writes another"
        )
    stderr = Stderr(quiet=given["quiet"], verbose=given["verbose"])
    options = analysis_options(given)
    require_tensorflow("init", models, [options])
    reports: list[tuple[str, ModelReport]] = []
    for path in dict.fromkeys(models):
        with orderly_end(), stderr.progress(path) as stage:
            outcome = inspect_path(path, options, stage)
        stderr.remark(outcome.remark)
        reports.append((path, outcome.model))
    failed = [model for _, model in reports if model.status is Status.FAILED]
    for model in failed:
        stderr.failure(model)
    if failed:
        context.exit(2)
    # Imported where it is needed: help and a failure do without.
    from gradflow.config.template import template

    Target(given["out"], no_color=True).write(
        template(_as_seen_from(out, path, model) for path, model in reports)
    )
    stderr.remark(f"{out} is written; gradflow check holds the models against it")


def _as_seen_from(out: Path, path: str, model: ModelReport) -> tuple[str, ModelReport]:
    """Paths in a configuration are relative to its folder."""
    if "://" in path or Path(path).is_absolute():
        return path, model
    return Path(os.path.relpath(path, out.parent)).as_posix(), model
