"""Every class of the installed Keras has been looked at, and the table says what the rules say."""

from __future__ import annotations

import pytest

from gradflow.scan.keras.allowed_names import Kind, named

pytestmark = pytest.mark.tensorflow

pytest.importorskip("tf_keras")

from gradflow.tables.keras_safety import DENIED, names  # noqa: E402

COMMAND = "python -m gradflow.tables.keras_safety (CONTRIBUTING.md: How to add an op)"


def test_the_table_has_every_name() -> None:
    """A new Keras brings new classes: they are refused until the table knows them."""
    rules = names()

    unknown = sorted(name for kind, name in rules if named(kind, name) is None)
    assert unknown == [], f"look at these, then run {COMMAND}"
    assert [name for key, name in rules.items() if named(*key) != name] == [], f"run {COMMAND}"


def test_each_denied_name_is_one() -> None:
    """Else one is misspelled, and what it was meant for is allowed."""
    rules = {name: named(Kind.CLASS, name) for name in DENIED}
    assert [name for name, rule in rules.items() if rule is None or rule.is_allowed] == []
