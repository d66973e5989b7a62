"""Tell whether a model may hold an op type, and what the op could do."""

from __future__ import annotations

from functools import cache

from gradflow.lazy_dataclass import dataclass
from gradflow.ops import table

_UNKNOWN = "is not known: no TensorFlow from 2.16 to 2.21 has it"
_ALLOW, _DENY = "allow", "deny"


@dataclass(frozen=True, slots=True)
class OpClass:
    """How safe one op type is."""

    name: str
    is_allowed: bool
    reason: str
    """What it does: the harm that it could do, where it is denied."""


@cache
def class_of(op: str) -> OpClass:
    """Return the class of an op type; one that the op table does not have is denied."""
    row = table.row(op)
    if row is None:
        return OpClass(op, False, _UNKNOWN)
    return OpClass(op, row["safety"] == _ALLOW, row["reason"])


def write(op_class: OpClass) -> table.Row:
    """Write the columns about safety of a row of the op table."""
    return {
        "safety": _ALLOW if op_class.is_allowed else _DENY,
        "reason": op_class.reason,
    }


def is_op(name: str) -> bool:
    """Return whether some TensorFlow has an op of that name."""
    return table.row(name) is not None
