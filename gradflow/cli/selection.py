"""Choose on the command line which findings count, by their codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradflow.cli.options import Group, option
from gradflow.cli.output import command_errors
from gradflow.lazy_dataclass import dataclass
from gradflow.policy import chosen


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
    with command_errors():
        return chosen(part.strip() for word in words for part in word.split(",") if part.strip())
