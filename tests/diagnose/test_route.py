"""Routes from hand-made evidence: what a file, a graph and a tape can say about one variable."""

from __future__ import annotations

from dataclasses import replace

from gradflow.diagnose import Evidence, Measurement, diagnose, route
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Gradient, Output, Role, Route
from gradflow.flow.attribute import attribute
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder, Mark

OUT, SIDE = Output("out", (4,), "float32"), Output("side", (4,), "float32")
FLOWS = Measurement(Gradient(1.0, 1.0, 0.0, None), finite=True)
ZERO = Measurement(Gradient(0.0, 0.0, 1.0, None), finite=True)
NONE = Measurement(None, finite=True)


def stored(name: str, **changes: object) -> StoredVariable:
    return replace(
        StoredVariable(
            name,
            None,
            shape=(3,),
            dtype="float32",
            role=Role.WEIGHT,
            trainable=True,
            frozen_by=None,
        ),
        **changes,
    )


def graph() -> FlowGraph:
    """``a`` is behind Round and StopGradient, ``b`` behind the second, ``c`` is alive, ``d`` leads
    nowhere."""
    builder = GraphBuilder()
    nodes = {name: builder.node(name, "_Arg") for name in "abcd"}
    ops = ["Mul", "Round", "Add", "StopGradient", "Identity", "MatMul"]
    mul, rounding, add, stop, identity, head = (builder.node(f"net/{op}", op) for op in ops)
    side = builder.node("net/Side", "Relu")
    for source, consumer, kind in [
        (nodes["a"], mul, Edge.FLOW),
        (mul, rounding, Edge.CUT),
        (rounding, add, Edge.FLOW),
        (nodes["b"], add, Edge.FLOW),
        (add, stop, Edge.CUT),
        (stop, identity, Edge.FLOW),
        (identity, head, Edge.FLOW),
        (nodes["c"], side, Edge.FLOW),
    ]:
        builder.edge(source, consumer, kind)
    return builder.build(nodes, [head, side])


def evidence(**changes: object) -> Evidence:
    built = graph()
    variables = tuple(stored(name) for name in "abcd")
    whole = Evidence(
        variables=variables,
        graph=built,
        attributions=attribute(built),
        layer_of=lambda op: "net",
    )
    return replace(whole, **changes)


def follow(name: str, outputs: tuple[Output, ...] = (OUT, SIDE), **changes: object) -> Route:
    given = evidence(outputs=outputs, **changes)
    return route(given, *diagnose(given), name)


def test_every_cut_on_the_way_is_a_step_and_a_change() -> None:
    found = follow("a")
    assert [(step.op, step.cause and step.cause.code, step.fed) for step in found.steps] == [
        ("net/Mul", None, False),
        ("net/Round", "GF202", False),
        ("net/Add", None, False),
        ("net/StopGradient", "GF201", False),
        ("net/MatMul", None, True),
    ]
    assert [(change.cause.code, change.behind) for change in found.changes] == [
        ("GF202", ()),
        ("GF201", ("b",)),
    ]
    assert found.also_restored == ("b",)
    assert {step.layer for step in found.steps} == {"net"}


def test_the_output_is_the_one_where_the_way_ends() -> None:
    assert follow("a").output == "out"
    assert follow("c").output == "side"
    assert follow("c", outputs=(SIDE,)).output == "side"
    assert follow("c", outputs=(OUT, SIDE, Output("same", (4,), "float32"))).output is None


def test_what_flows_needs_no_change() -> None:
    found = follow("c")
    assert [(step.op, step.fed) for step in found.steps] == [("net/Side", True)]
    assert (found.changes, found.also_restored) == ((), ())


def test_what_leads_nowhere_has_no_steps() -> None:
    found = follow("d")
    assert found.steps == ()
    assert [change.cause.code for change in found.changes] == ["GF206"]


def test_a_frozen_weight_is_thawed_before_its_cuts_are_removed() -> None:
    frozen = tuple(stored(name, trainable=False, frozen_by="base") for name in "ab")
    found = follow("b", variables=(*frozen, stored("c")))
    assert [change.cause.code for change in found.changes] == ["GF101", "GF201"]
    assert [change.behind for change in found.changes] == [("a",), ("a",)]
    assert "base.trainable = True" in found.changes[0].fix
    left_out = follow("c", variables=(stored("c", trainable=False),))
    assert [change.reason for change in left_out.changes] == [
        "not among the file's trainable variables"
    ]


def test_a_weight_that_no_layer_tracks_is_not_called_frozen() -> None:
    loose = stored("c", trainable=False, untracked=True)
    found = follow("c", variables=(loose, stored("a", trainable=False)))
    assert [change.cause.code for change in found.changes] == ["GF103"]
    frozen = follow("a", variables=(loose, stored("a", trainable=False)))
    assert frozen.changes[0].behind == ()


def test_a_zero_whose_op_nobody_knows_holds_nothing_back() -> None:
    measured = {"a": NONE, "b": NONE, "c": ZERO, "e": ZERO}
    found = follow("c", variables=tuple(stored(name) for name in "abce"), measurements=measured)
    assert [(change.cause.code, change.behind) for change in found.changes] == [("GF303", ())]
    assert [step.cause for step in found.steps] == [None]


def test_a_disagreement_of_tape_and_graph_is_told() -> None:
    found = follow("b", measurements={"a": NONE, "b": FLOWS, "c": FLOWS})
    assert "GF209" in [change.cause.code for change in found.changes]


def test_without_a_graph_there_is_no_way() -> None:
    found = follow("a", graph=None, attributions={})
    assert (found.steps, found.output, found.changes) == ((), None, ())
    state = follow("a", variables=(stored("a", role=Role.STATE, trainable=False),))
    assert (state.steps, state.changes) == ((), ())


def test_a_cut_behind_an_op_of_unknown_type_is_the_cut() -> None:
    builder = GraphBuilder()
    variable, stopped, unknown = (
        builder.node(*names) for names in (("a", "_Arg"), ("net/stop", "StopGradient"), ("u", "U"))
    )
    head = builder.node("net/MatMul", "MatMul")
    builder.edge(variable, stopped, Edge.CUT)
    builder.edge(stopped, unknown, Edge.UNKNOWN)
    builder.edge(unknown, head, Edge.FLOW)
    built = builder.build({"a": variable}, [head])
    hopeful = attribute(built.as_if_unknown_flowed())
    found = follow(
        "a", graph=built, attributions=hopeful, measurements={"a": NONE}, variables=(stored("a"),)
    )
    assert [change.cause.code for change in found.changes] == ["GF201"]


def test_a_custom_gradient_that_returns_none_is_a_step_and_the_cut() -> None:
    builder = GraphBuilder()
    variable, custom = (
        builder.node("a", "_Arg"),
        builder.node("net/custom", "IdentityN", Mark.CUSTOM),
    )
    head = builder.node("net/MatMul", "MatMul")
    builder.edge(variable, custom, Edge.CUT)
    builder.edge(custom, head, Edge.FLOW)
    built = builder.build({"a": variable}, [head])
    found = follow("a", graph=built, attributions=attribute(built), variables=(stored("a"),))
    assert [(step.op, step.cause and step.cause.code) for step in found.steps] == [
        ("net/custom", "GF205"),
        ("net/MatMul", None),
    ]
    assert [change.cause.code for change in found.changes] == ["GF205"]


def test_an_op_of_an_unknown_type_that_the_tape_passed_is_no_cut() -> None:
    builder = GraphBuilder()
    variable, foreign = builder.node("a", "_Arg"), builder.node("net/foreign", "SomebodysOp")
    builder.edge(variable, foreign, Edge.UNKNOWN)
    built = builder.build({"a": variable}, [foreign])
    hopeful = attribute(built.as_if_unknown_flowed())
    found = follow(
        "a", graph=built, attributions=hopeful, measurements={"a": FLOWS}, variables=(stored("a"),)
    )
    assert [(step.op, step.cause, step.fed) for step in found.steps] == [
        ("net/foreign", None, True)
    ]
    assert found.changes == ()
