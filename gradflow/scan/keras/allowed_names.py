"""A class or function of Keras in, whether a file may name it out: from a table that Keras itself
gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from gradflow.scan.table import read_rows, write_rows

_TABLE = Path(__file__).with_name("keras_classes.tsv")


class Kind(str, Enum):
    """What a name stands for."""

    CLASS = "class"
    FUNCTION = "function"


@dataclass(frozen=True, slots=True)
class KerasName:
    """What one class or function is taken for."""

    kind: Kind
    name: str
    is_allowed: bool
    reason: str
    """What it does: the harm that it could do, where it is denied."""


def named(kind: Kind, name: str) -> KerasName | None:
    """What a name of Keras stands for; None where no Keras from 2.16 of TensorFlow on has it."""
    return _names().get((kind, name))


def parse(text: str) -> dict[tuple[Kind, str], KerasName]:
    """The rows of a table."""
    found = (
        KerasName(Kind(kind), name, allowed, reason)
        for (kind, name), allowed, reason in read_rows(text)
    )
    return {(one.kind, one.name): one for one in found}


def write(names: Iterable[KerasName], versions: str) -> str:
    """The table of ``names``, sorted."""
    rows = (([one.kind.value, one.name], one.is_allowed, one.reason) for one in names)
    return write_rows("keras_classes", versions, rows)


@cache
def _names() -> Mapping[tuple[Kind, str], KerasName]:
    return parse(_TABLE.read_text(encoding="utf-8"))
