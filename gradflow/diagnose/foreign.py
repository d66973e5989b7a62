"""A cut at an op type that is not TensorFlow's own in, what to say about it out."""

from __future__ import annotations

from gradflow.catalogue import entry
from gradflow.findings import Cause, Severity
from gradflow.flow.op_rules import spec


def describe_foreign(cause: Cause, *, static: bool) -> tuple[Severity, str, str] | None:
    """Return severity, message and hint for an op of a custom op library; None for all other
    causes."""
    if cause.code != "GF203" or cause.op_type is None or spec(cause.op_type) is not None:
        return None
    if static:
        text = (
            f"{cause.op!r}: nothing is known about op type {cause.op_type}, so nobody can tell "
            f"what passes it"
        )
        return (
            Severity.NOTE,
            text,
            "measure it: if a package brings the op type, pass --import PACKAGE, without --static",
        )
    text = (
        f"{cause.op!r}: op type {cause.op_type} has no gradient in this process; if a package "
        f"registers it, "
        "pass --import PACKAGE"
    )
    return Severity.ERROR, text, entry(cause.code).fix
