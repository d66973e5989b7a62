"""Choose on the command line which findings count, by their codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradflow.cli.options import Group, option
from gradflow.cli.output import command_errors
from gradflow.findings import ModelReport
from gradflow.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Selection(Group):
    """Which findings count."""

    heading: ClassVar[str] = "What counts"

    select: tuple[str, ...] = option(
        "--select",
        metavar="CODES",
        multiple=True,
        help="Only findings of these codes count: GF2,GF401.",
    )
    ignore: tuple[str, ...] = option(
        "--ignore", metavar="CODES", multiple=True, help="Findings of these codes do not count."
    )


def codes(words: Sequence[str]) -> tuple[str, ...]:
    """Read codes, kinds or beginnings of codes (GF2), also several with commas between.

    Raises:
        CommandError: there is no such code.
    """
    if not words:
        return ()
    from gradflow.policy import chosen  # seldom needed, and takes a while to import

    with command_errors():
        return chosen(part.strip() for word in words for part in word.split(",") if part.strip())


def counting(model: ModelReport, select: Sequence[str], ignored: Sequence[str]) -> ModelReport:
    """Return ``model`` as ``policy.selected`` has it."""
    if not select and not ignored:
        return model
    from gradflow.policy import selected  # as above

    return selected(model, select, ignored)
