"""The op table can be read and written again, and TensorFlow is named in its notes."""

from __future__ import annotations

from gradflow.flow import op_rules
from gradflow.ops import table
from gradflow.scan.saved_model import allowed_ops


def test_the_table_is_written_as_it_is_read() -> None:
    rows = [row for op in table.op_types() if (row := table.row(op)) is not None]
    assert len(rows) > 1900
    assert table.render(rows, table.notes()) == table.PATH.read_text(encoding="utf-8")


def test_each_column_is_read_and_written_by_one_of_two() -> None:
    row = table.row("MatMul")
    op_spec = op_rules.spec("MatMul")
    assert row is not None
    assert op_spec is not None

    gradients = op_rules.write(op_spec)
    safety = allowed_ops.write(allowed_ops.class_of("MatMul"))

    assert {**gradients, **safety} == row
    assert not set(gradients) & set(safety)


def test_what_the_table_does_not_have() -> None:
    assert table.row("NoSuchOp") is None
    assert table.row("op") is None  # the header
    assert table.row("") is None


def test_the_notes_name_the_versions() -> None:
    versions = [note for note in table.notes() if note.startswith("# TensorFlow ")]
    assert len(versions) >= 2
