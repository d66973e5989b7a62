"""Write the op table of gradflow/ops/: all that is known of each op of the installed TensorFlow.

Usage: ``python -m gradflow.tables.op_table``. Rows of ops that only other versions of TensorFlow
have are kept as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import tensorflow as tf

from gradflow.flow import op_rules
from gradflow.ops import table
from gradflow.scan.saved_model import allowed_ops
from gradflow.tables.op_gradients import gradients_of, op_defs
from gradflow.tables.op_probe import Probe
from gradflow.tables.op_safety import classify

_HEAD = "# Written by python -m gradflow.tables.op_table; gradflow/ops/table.py reads it."
_OLDER = " Ops that only it has."
_NOTE = re.compile(r"# TensorFlow (\S+): ")


def rows() -> dict[str, tuple[table.Row, Probe | None]]:
    """Return the row of every op of the installed TensorFlow, and how its gradient was probed.

    None where the op has no gradient function to probe.
    """
    written: dict[str, tuple[table.Row, Probe | None]] = {}
    for name, op_def in op_defs().items():
        op_spec, probe = gradients_of(op_def)
        op_class = classify(name, op_def.is_stateful)
        written[name] = {**op_rules.write(op_spec), **allowed_ops.write(op_class)}, probe
    return written


def _older_rows(names: Iterable[str]) -> Iterator[table.Row]:
    """Yield the rows of the present table for ops that are not among ``names``."""
    for op in table.op_types().difference(names):
        row = table.row(op)
        if row is not None:
            yield row


def _notes(probes: Iterable[Probe | None]) -> Iterator[str]:
    """Yield the comments of the table: which TensorFlow was looked at, and how well."""
    probed = [probe for probe in probes if probe is not None]
    built = sum(bool(probe.inputs) for probe in probed)
    yield _HEAD
    yield (
        f"# TensorFlow {tf.__version__}: {built} of {len(probed)} gradient functions probed, "
        "the others read."
    )
    for note in table.notes():
        version = _NOTE.match(note)
        if version and version[1] != tf.__version__:
            yield f"{note.removesuffix(_OLDER)}{_OLDER}"


def main() -> None:
    """Write the table in its place."""
    new = rows()
    written = [row for row, _ in new.values()]
    notes = list(_notes(probe for _, probe in new.values()))
    text = table.render([*written, *_older_rows(new)], notes)
    table.PATH.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
