"""Where a cut stands among the layers, and how far back nothing learns, from hand-made evidence."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from gradflow.diagnose import Evidence, Measurement, diagnose
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Acceptance, Finding, Gradient, Output, Role
from gradflow.flow.attribute import attribute
from gradflow.flow.graph import Edge, GraphBuilder
from gradflow.report.finding_line import located
from gradflow.report.reach import reach_sentences
from tests.report.reports import analyzed

FLOW, CUT = Edge.FLOW, Edge.CUT
FLOWS = Measurement(Gradient(1.0, 1.0, 0.0, None), finite=True)
NONE = Measurement(None, finite=True)
Line = tuple[str, str, Edge]


def findings(
    lines: list[Line], *learning: str, frozen: tuple[str, ...] = (), outputs: int = 1
) -> tuple[Finding, ...]:
    """The findings of a model whose layers ``a``, ``b`` ... have a weight ``w`` each and one op."""
    builder = GraphBuilder()
    layers = dict.fromkeys(
        name.rpartition("/")[0] for line in lines for name in line[:2] if name.endswith("/MatMul")
    )
    names = dict.fromkeys(name for line in lines for name in line[:2])
    nodes = {
        name: builder.node(name, "_Arg" if name == "x" else name.rpartition("/")[2])
        for name in names
    }
    weights = {f"{layer}/w": builder.node(f"{layer}/w", "_Arg") for layer in layers}
    for source, consumer, kind in lines:
        builder.edge(nodes[source], nodes[consumer], kind)
    for layer in layers:
        builder.edge(weights[f"{layer}/w"], nodes[f"{layer}/MatMul"], FLOW)
    ends = [nodes[name] for name in names if name.startswith("end")]
    graph = builder.build(weights, ends)
    variables = tuple(
        StoredVariable(
            f"{layer}/w",
            layer,
            shape=(10,),
            dtype="float32",
            role=Role.WEIGHT,
            trainable=layer not in frozen,
            frozen_by=None,
        )
        for layer in layers
    )
    evidence = Evidence(
        variables=variables,
        graph=graph,
        measurements={
            name: FLOWS if name.rpartition("/")[0] in learning else NONE for name in weights
        },
        attributions=attribute(graph),
        layer_of=lambda node: graph.names[node].rpartition("/")[0] or None,
        outputs=tuple(Output(f"out_{number}", (4,), "float32") for number in range(outputs)),
    )
    return tuple(finding for finding in diagnose(evidence)[1] if finding.code != "GF101")


def sentences(found: tuple[Finding, ...]) -> list[str]:
    return list(reach_sentences(analyzed("m.keras", (), findings=found)))


def chain(*ops: str) -> list[Line]:
    """One op after the other, with a cut at each StopGradient."""
    return [
        (source, consumer, CUT if "Stop" in consumer else FLOW)
        for source, consumer in pairwise(ops)
    ]


STOPPED = chain("x", "a/MatMul", "b/MatMul", "StopGradient", "c/MatMul", "d/MatMul", "end")


def test_a_finding_says_between_which_layers_before_it_names_the_op() -> None:
    (found,) = findings(STOPPED, "c", "d")
    assert found.between == ("b", "c")
    assert located(found) == "between b and c, gradient is stopped by StopGradient 'StopGradient'"
    assert found.variables == ("a/w", "b/w")


def test_the_way_is_told_in_layers_and_a_cut_in_none_by_its_op() -> None:
    (found,) = findings(STOPPED, "c", "d")
    assert found.way is not None
    assert found.way.variable == "b/w"
    assert [(step.op, step.fed, step.cause is not None) for step in found.way.steps] == [
        ("b", False, False),
        ("StopGradient", False, True),
        ("c", True, False),
        ("d", True, False),
    ]


def test_the_first_block_says_how_far_back_nothing_learns() -> None:
    assert sentences(findings(STOPPED, "c", "d")) == [
        "from the input to b nothing learns: 2 of 4 layers, 50 % of the parameters"
    ]


def test_frozen_layers_behind_the_cut_are_counted_and_said() -> None:
    assert sentences(findings(STOPPED, "c", "d", frozen=("a",))) == [
        "from the input to b nothing learns: 2 of 4 layers, 50 % of the parameters (1 of the "
        "layers frozen)"
    ]


def test_a_cut_inside_a_layer_is_said_to_be_in_it() -> None:
    lines = chain("x", "a/MatMul", "a/StopGradient", "a/Mul", "b/MatMul", "end")
    (found,) = findings(lines, "b")
    assert found.between == ("a", "a")
    assert located(found).startswith("in layer a, gradient is stopped by ")


@pytest.mark.parametrize(
    ("stop", "layer"), [("a/StopGradient", "a"), ("a/cell/StopGradient", "a/cell")]
)
def test_a_cut_between_a_layer_and_one_inside_of_it_is_in_a_layer(stop: str, layer: str) -> None:
    lines = chain("x", "a/MatMul", stop, "a/cell/MatMul", "b/MatMul", "end")
    (found,) = findings(lines, "a/cell", "b")
    assert found.between == (layer, layer)


def test_a_cut_right_before_the_output_names_the_output() -> None:
    (found,) = findings(chain("x", "a/MatMul", "StopGradient", "end"))
    assert found.between == ("a", "out_0")
    assert sentences((found,)) == [
        "from the input to a nothing learns: 1 of 1 layer, 100 % of the parameters"
    ]


BRANCH = [
    *chain("x", "a/MatMul", "b/MatMul", "c/MatMul", "StopGradient", "Add", "d/MatMul", "end"),
    ("a/MatMul", "Add", FLOW),
]


def test_a_branch_behind_a_cut_begins_where_the_trunk_learns() -> None:
    assert sentences(findings(BRANCH, "a", "d")) == [
        "from b to c nothing learns: 2 of 4 layers, 50 % of the parameters"
    ]
    short = [line for line in BRANCH if "c/MatMul" not in line]
    short += [("b/MatMul", "StopGradient", CUT)]
    assert sentences(findings(short, "a", "d")) == [
        "b learns nothing: 1 of 3 layers, 33.3 % of the parameters"
    ]


def test_layers_that_learn_another_way_are_not_swallowed() -> None:
    lines = [*BRANCH, ("b/MatMul", "e/MatMul", FLOW), ("e/MatMul", "StopGradient", CUT)]
    lines += [("e/MatMul", "end_2", FLOW)]
    found = findings(lines, "a", "b", "d", "e", outputs=2)
    assert sentences(found) == ["c learns nothing: 1 of 5 layers, 20 % of the parameters"]


def test_two_branches_that_end_at_one_cut_are_both_named() -> None:
    lines = [
        *chain("x", "a/MatMul", "StopGradient", "d/MatMul", "end"),
        *chain("x", "b/MatMul", "StopGradient"),
    ]
    assert sentences(findings(lines, "d")) == [
        "from the input to a and b nothing learns: 2 of 3 layers, 66.7 % of the parameters"
    ]


@pytest.mark.parametrize("accepted", [False, True])
def test_what_is_accepted_is_no_trouble(accepted: bool) -> None:
    found = findings(STOPPED, "c", "d")
    if accepted:
        found = tuple(replace(item, accepted=Acceptance("ignore", "")) for item in found)
    assert bool(sentences(found)) is not accepted
