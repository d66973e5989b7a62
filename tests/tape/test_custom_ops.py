"""Ops that the table does not have and this process does, as a loaded op library brings them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import gradflow
from gradflow.flow.op_rules import ops_with, spec
from gradflow.ops import table

pytestmark = pytest.mark.tensorflow

OWN = ("Softplus", "Unique", "Round", "PreventGradient")


@pytest.fixture
def unlisted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    rows = {op: row for op, row in table._lines().items() if op not in OWN}
    monkeypatch.setattr(table, "_lines", lambda: rows)
    _forget_the_table()
    yield
    monkeypatch.undo()
    _forget_the_table()


def _forget_the_table() -> None:
    for kept in (spec, ops_with, table.cells):
        kept.cache_clear()


@pytest.mark.usefixtures("unlisted")
def test_the_registries_of_the_process_tell_their_rule() -> None:
    from gradflow.tape.custom_ops import registered_specs, unregistered

    found = {
        op: spec.rule.value for op, spec in registered_specs([*OWN, "MatMul", "Absent"]).items()
    }
    assert found == {
        "Softplus": "flow",
        "Unique": "unregistered",
        "Round": "nondiff",
        "PreventGradient": "disabled",
    }
    assert unregistered([*OWN, "MatMul", "Absent", "Missing"]) == ("Absent", "Missing")


@pytest.mark.usefixtures("unlisted")
@pytest.mark.parametrize("saved", [True, False])
def test_a_gradient_that_a_package_registers_flows_and_one_that_is_missing_is_named(
    saved: bool, tmp_path: Any
) -> None:
    import tensorflow as tf

    from gradflow.options import Options
    from tests.agreement.subject import analysed

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            for name in "abc":
                setattr(self, name, tf.Variable([1.0, 2.0, 3.0], name=name))

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def serve(self, x):
            return x * tf.nn.softplus(self.a) + tf.unique(self.b)[0] + tf.round(self.c)

    module = Module()
    if saved:
        tf.saved_model.save(module, str(tmp_path), signatures=module.serve.get_concrete_function())
        report = analysed(tmp_path, Options()).report
    else:
        report = gradflow.inspect(module, entry="serve").models[0]
    found = {
        v.name: (v.verdict.value, [cause.code for cause in v.causes]) for v in report.variables
    }
    assert found == {"a": ("flows", []), "b": ("none", ["GF203"]), "c": ("none", ["GF202"])}
    text = next(finding.message for finding in report.findings if finding.code == "GF203")
    option = "--import PACKAGE" if saved else 'imports=["PACKAGE"]'
    said = "op type Unique has no gradient in this process; if a package registers it, pass "
    assert said + option in text
