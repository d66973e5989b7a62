"""Every op of the installed TensorFlow has been looked at, and the op table says what the rules
say."""

from __future__ import annotations

import re

import pytest

from gradflow.ops.table import op_types
from gradflow.scan.saved_model.allowed_ops import class_of, is_op

pytestmark = pytest.mark.tensorflow

pytest.importorskip("tensorflow")

from gradflow.tables.op_gradients import op_defs  # noqa: E402
from gradflow.tables.op_safety import ALLOWED, DENIED, classify  # noqa: E402

COMMAND = "python -m gradflow.tables.op_table (CONTRIBUTING.md: How to add an op)"


def test_the_table_has_every_op() -> None:
    """A new TensorFlow brings new ops: they are refused until the table knows them."""
    assert [op for op in op_defs() if not is_op(op)] == [], f"look at these, then run {COMMAND}"


def test_the_table_says_what_the_rules_say() -> None:
    classes = {op: classify(op, op_def.is_stateful) for op, op_def in op_defs().items()}
    assert [op for op, rule in classes.items() if class_of(op) != rule] == [], f"run {COMMAND}"


def test_each_pattern_stands_for_an_op() -> None:
    """Else one is misspelled, and what it was meant for is allowed."""
    parts = [part for _, pattern in (*DENIED, *ALLOWED) for part in alternatives(pattern)]
    assert [part for part in parts if not any(re.fullmatch(part, op) for op in op_types())] == []


def alternatives(pattern: str) -> list[str]:
    """The parts of a pattern between the bars that stand in no brackets."""
    depth, found = 0, [""]
    for letter in pattern:
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and not depth:
            found.append("")
        else:
            found[-1] += letter
    return found
