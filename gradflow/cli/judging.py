"""Judge reports as ``check`` and ``audit`` both do: their options, the baseline, lines of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from gradflow.audit import read_baseline
from gradflow.cli.exit_codes import exit_zero_option, fail_on_option
from gradflow.cli.options import Group, option
from gradflow.cli.output import command_errors
from gradflow.config import ModelPlan
from gradflow.findings import Anchor
from gradflow.policy import Snapshot


@dataclass(frozen=True, slots=True)
class Judgement(Group):
    """Which findings count, and what the exit code makes of them."""

    heading: ClassVar[str] = "What counts"

    baseline: str | None = option(
        "--baseline",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Accept what is in FILE (gradflow baseline): only what is new counts.",
    )
    fail_on: str | None = fail_on_option(
        "The lowest severity that breaks the build.  [default: warning]"
    )
    select: tuple[str, ...] = option(
        "--select",
        metavar="CODES",
        multiple=True,
        help="Only findings of these codes count: GF2,GF401.",
    )
    ignore: tuple[str, ...] = option(
        "--ignore", metavar="CODES", multiple=True, help="Findings of these codes do not count."
    )
    exit_zero: bool = exit_zero_option("Exit 0 instead of 1.")


def anchors_of(plans: Sequence[ModelPlan]) -> dict[str, Anchor]:
    """Find the line of the configuration that names each model; findings are shown there."""
    return {plan.name or plan.path: plan.anchor for plan in plans if plan.anchor is not None}


def baseline_of(path: str | None) -> Mapping[str, Snapshot] | None:
    """Read the baseline in a file; None where no file is given.

    Raises:
        CommandError: it is not a baseline.
    """
    if path is None:
        return None
    with command_errors():
        return read_baseline(Path(path))
