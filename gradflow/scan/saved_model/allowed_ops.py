"""An op type in, whether a model may hold it and what it could do out, from a table of TensorFlow's
registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gradflow.scan.table import read_rows, write_rows

_TABLE = Path(__file__).with_name("op_classes.tsv")
_UNKNOWN = "is not known: no TensorFlow from 2.16 to 2.21 has it"


@dataclass(frozen=True, slots=True)
class OpClass:
    """What one op type is taken for."""

    name: str
    is_allowed: bool
    reason: str
    """What it does: the harm that it could do, where it is denied."""


def class_of(op: str) -> OpClass:
    """The class of an op type; one that the table does not have is denied."""
    return _classes().get(op) or OpClass(op, False, _UNKNOWN)


def is_op(name: str) -> bool:
    """Whether some TensorFlow has an op of that name."""
    return name in _classes()


def parse(text: str) -> dict[str, OpClass]:
    """The rows of a table."""
    return {name: OpClass(name, allowed, reason) for (name,), allowed, reason in read_rows(text)}


def write(classes: Iterable[OpClass], tensorflow: str) -> str:
    """The table of ``classes``, sorted by name."""
    rows = (([one.name], one.is_allowed, one.reason) for one in classes)
    return write_rows("op_classes", f"TensorFlow {tensorflow}", rows)


@cache
def _classes() -> Mapping[str, OpClass]:
    return parse(_TABLE.read_text(encoding="utf-8"))
