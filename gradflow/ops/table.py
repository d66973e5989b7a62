"""Find what is known of an op type in the op table.

``python -m gradflow.tables.op_table`` writes the table, from the registries of TensorFlow and the
rules in gradflow/tables/. ``flow.op_rules`` reads the columns about gradients, and
``scan.saved_model.allowed_ops`` those about safety.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

PATH = Path(__file__).with_name("op_table.tsv")
COLUMNS = "op rule none_inputs zero_inputs inputs outputs defaults safety reason".split()

Row = Mapping[str, str]
"""Column to cell."""


def row(op: str) -> Row | None:
    """Return the row of an op type; None where the table does not have it."""
    line = _lines().get(op)
    return None if line is None else dict(zip(COLUMNS, line.split("\t"), strict=True))


def op_types() -> frozenset[str]:
    """Return every op type of the table."""
    return frozenset(_lines())


@cache
def cells(column: str) -> Mapping[str, str]:
    """Return the cell of one column for each op type of the table."""
    index = COLUMNS.index(column)
    return {op: line.split("\t")[index] for op, line in _lines().items()}


def notes() -> tuple[str, ...]:
    """Return the comments at the head of the table."""
    lines = PATH.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line.startswith("#"))


def render(rows: Iterable[Row], notes: Iterable[str]) -> str:
    """Return the text of a table of ``rows``, sorted by op type."""
    lines = ["\t".join(row[column] for column in COLUMNS) for row in rows]
    return "".join(f"{line}\n" for line in (*notes, "\t".join(COLUMNS), *sorted(lines)))


@cache
def _lines() -> dict[str, str]:
    """Op type to its row: splitting 1,900 rows costs a millisecond, parsing them would cost
    thirty."""
    lines = PATH.read_text(encoding="utf-8").splitlines()
    rows = {line.partition("\t")[0]: line for line in lines if not line.startswith("#")}
    del rows["op"]  # the header
    return rows
