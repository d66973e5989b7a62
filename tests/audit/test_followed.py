"""Which weights are followed while the model is at hand."""

from __future__ import annotations

from functools import partial

import pytest

from gradflow.analysis import followed as following
from gradflow.analysis.followed import followed
from gradflow.analysis.result import analyzed
from gradflow.diagnose import Evidence
from gradflow.findings import Format, Mode
from gradflow.flow.graph import Edge, GraphBuilder
from tests.diagnose.grown import evidence_of

ANALYSED = partial(analyzed, "m.keras", Format.KERAS, Mode.STATIC, producer=None)
FREE = ("free_0/kernel", "free_1/kernel")


def names(evidence: Evidence, spent: float) -> tuple[str, ...]:
    answers = followed(
        evidence,
        ANALYSED(evidence),
        lambda _: (None, evidence.attributions),
        lambda evidence, name: ANALYSED(evidence, why=name),
        spent,
    )
    for answer in answers:
        alone = ANALYSED(evidence, why=answer.variable.name)
        assert answer.route == alone.route
        assert answer.variable in alone.report.variables
    return tuple(answer.variable.name for answer in answers)


@pytest.fixture
def evidence() -> Evidence:
    """One weight behind a cut, two before it."""
    builder = GraphBuilder()
    variables = {name: builder.node(name, "VarHandleOp") for name in ("cut/kernel", *FREE)}
    stop = builder.node("stop/StopGradient", "StopGradient")
    builder.edge(variables["cut/kernel"], stop, Edge.CUT)
    last = stop
    for name in FREE:
        product = builder.node(name.replace("kernel", "MatMul"), "MatMul")
        builder.edge(last, product, Edge.FLOW)
        builder.edge(variables[name], product, Edge.FLOW)
        last = product
    return evidence_of(builder.build(variables, [last]))


def test_all_of_a_small_model_and_the_cut_one_first(evidence: Evidence) -> None:
    assert names(evidence, spent=0.1) == ("cut/kernel", *FREE)


def test_no_repair_of_a_large_model_but_the_weights_that_need_none(evidence: Evidence) -> None:
    assert names(evidence, spent=100.0) == FREE


def test_no_more_than_there_is_room_for(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_STEPS", 2)

    assert names(evidence, spent=100.0) == FREE[:1]
