"""What ``check`` and ``audit`` share: the options that judge, the exit code, and where findings are
shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from gradflow.audit import Checked, read_baseline
from gradflow.cli.output import command_errors
from gradflow.config import ModelPlan
from gradflow.findings import Anchor, Status
from gradflow.policy import Snapshot

JUDGEMENT = (
    click.option(
        "--baseline",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Accept what is in FILE (gradflow baseline): only what is new counts.",
    ),
    click.option(
        "--fail-on",
        type=click.Choice(["error", "warning"]),
        help="The lowest severity that breaks the build.  [default: warning]",
    ),
    click.option(
        "--select",
        metavar="CODES",
        multiple=True,
        help="Only findings of these codes count: GF2,GF401.",
    ),
    click.option(
        "--ignore", metavar="CODES", multiple=True, help="Findings of these codes do not count."
    ),
    click.option("--exit-zero", is_flag=True, help="Exit 0 instead of 1."),
)


def exit_code(checked: Sequence[Checked], *, exit_zero: bool) -> int:
    """2: a model could not be checked; 1: one is broken; 0: neither. 2 outranks 1."""
    if any(one.model.status is Status.FAILED for one in checked):
        return 2
    return 1 if any(one.is_broken for one in checked) and not exit_zero else 0


def anchors_of(plans: Sequence[ModelPlan]) -> dict[str, Anchor]:
    """Findings are shown at the line that names the model, where one does; two entries of a file
    have a line each."""
    return {one.name or one.path: one.anchor for one in plans if one.anchor is not None}


def baseline_of(path: str | None) -> Mapping[str, Snapshot] | None:
    """The baseline in a file; None where no file is given.

    Raises:
        CommandError: it is none.
    """
    if path is None:
        return None
    with command_errors():
        return read_baseline(Path(path))
