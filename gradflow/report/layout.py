"""Say how a report is to look, and where it is shown."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from gradflow.findings import Anchor
from gradflow.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from gradflow.policy import Trend


@dataclass(frozen=True, slots=True)
class Layout:
    """How a report is to look; each format uses the fields that it needs."""

    width: int = 80
    """Columns of a text."""
    color: bool = False
    """Write terminal colors; without it there is no escape sequence in the text."""
    show_all: bool = False
    """Leave nothing out of a text, and add a table of all variables."""
    show_ops: bool = False
    """Draw paths op by op, not layer by layer."""
    brief: bool = False
    """A model that nothing is wrong with takes one line of a text, unless ``show_all``."""
    encoding: str = "utf-8"
    """What the stream can hold: drawn characters and names beyond it are written in ASCII."""
    trends: Sequence[Trend] = ()
    """What has changed since the baseline, or since the report before."""
    anchors: Mapping[str, Anchor] = field(default_factory=dict)
    """Where a CI system shows the findings of a model, by its name or path; without one it is shown
    at its path."""


PLAIN = Layout()
_PIPED_WIDTH = 100
"""Columns of a text that goes to a file or a pipe, where COLUMNS is not set."""


def columns(*, is_terminal: bool) -> int:
    """Return how wide a text may be that goes to a terminal, or to something else."""
    if is_terminal or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return _PIPED_WIDTH
