"""Tell whether a file may name a class or function of Keras, by a table that Keras itself gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cache
from pathlib import Path

from gradflow.lazy_dataclass import dataclass

PATH = Path(__file__).with_name("keras_classes.tsv")
_HEAD = (
    "# Written by python -m gradflow.tables.keras_safety; gradflow/scan/keras/allowed_names.py "
    "reads it."
)
_ALLOW, _DENY = "allow", "deny"


class Kind(str, Enum):
    """What a name stands for."""

    CLASS = "class"
    FUNCTION = "function"


@dataclass(frozen=True, slots=True)
class KerasName:
    """How safe one class or function is."""

    kind: Kind
    name: str
    is_allowed: bool
    reason: str
    """What it does: the harm that it could do, where it is denied."""


def named(kind: Kind, name: str) -> KerasName | None:
    """Return what a name of Keras stands for; None where no Keras from 2.16 of TensorFlow on has
    it."""
    return _names().get((kind, name))


def parse(text: str) -> dict[tuple[Kind, str], KerasName]:
    """Read the rows of a table; ``write`` is its inverse."""
    names = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            cell, name, safety, reason = line.split("\t")
            kind = Kind(cell)
            names[kind, name] = KerasName(kind, name, safety == _ALLOW, reason)
    return names


def write(names: Iterable[KerasName], versions: str) -> str:
    """Write the table of ``names``, sorted; ``versions`` of the libraries that they are from."""
    lines = [
        "\t".join((row.kind.value, row.name, _ALLOW if row.is_allowed else _DENY, row.reason))
        for row in names
    ]
    return "".join(f"{line}\n" for line in (_HEAD, f"# {versions}.", *sorted(lines)))


@cache
def _names() -> Mapping[tuple[Kind, str], KerasName]:
    return parse(PATH.read_text(encoding="utf-8"))
