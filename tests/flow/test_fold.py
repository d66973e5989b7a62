"""The fold of a graph into layers: their order, their edges, and what is nearest to a cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from gradflow.flow.fold import fold, neighbours, positions
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder

FLOW, CUT, DISCRETE, FILL = Edge.FLOW, Edge.CUT, Edge.DISCRETE, Edge.FILL
Line = tuple[str, str, Edge]


def built(lines: list[Line], *variables: str, end: str = "end") -> tuple[FlowGraph, dict[str, int]]:
    """A graph of the named ops: ``x`` is fed, and the type of an op is its name's last part."""
    builder = GraphBuilder()
    names = dict.fromkeys(name for source, consumer, _ in lines for name in (source, consumer))
    nodes = {
        name: builder.node(name, "_Arg" if name in ("x", *variables) else name.rpartition("/")[2])
        for name in names
    }
    for source, consumer, kind in lines:
        builder.edge(nodes[source], nodes[consumer], kind)
    return builder.build({name: nodes[name] for name in variables}, [nodes[end]]), nodes


def scopes(graph: FlowGraph) -> Callable[[int], str | None]:
    return lambda node: graph.names[node].rpartition("/")[0] or None


CHAIN: list[Line] = [
    ("k", "a/MatMul", FLOW),
    ("x", "a/MatMul", FLOW),
    ("a/MatMul", "Relu", FLOW),
    ("Relu", "act/Tanh", FLOW),
    ("act/Tanh", "stop/Mul", FLOW),
    ("stop/Mul", "stop/StopGradient", CUT),
    ("stop/StopGradient", "b/MatMul", FLOW),
    ("l", "b/MatMul", FLOW),
    ("b/MatMul", "end", FLOW),
]
OWNERS = {"k": "a", "l": "b"}


def test_layers_stand_in_the_order_of_the_data() -> None:
    graph, _ = built(list(reversed(CHAIN)), "l", "k")
    folded = fold(graph, scopes(graph), OWNERS)
    layers = [
        name for name, is_layer in zip(folded.groups, folded.is_layer, strict=True) if is_layer
    ]
    assert layers == ["a", "act", "stop", "b"]
    assert sorted(OWNERS, key=positions(graph, folded).__getitem__) == ["k", "l"]


def between(
    lines: list[Line],
    op: str,
    owners: Mapping[str, str] = OWNERS,
    kind: Edge = CUT,
    back: str | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    graph, nodes = built(lines, *owners)
    folded = fold(graph, scopes(graph), owners)
    return neighbours(graph, folded, Cut(nodes[op], kind, back and nodes[back]))


def test_a_layer_that_only_cuts_stands_on_neither_side() -> None:
    assert between(CHAIN, "stop/StopGradient") == (("act",), ("b",))


def test_an_op_without_a_layer_is_passed_over() -> None:
    lines = [(s, c.replace("stop/", ""), k) for s, c, k in CHAIN]
    lines = [(s.replace("stop/", ""), c, k) for s, c, k in lines]
    assert between(lines, "StopGradient") == (("act",), ("b",))


@pytest.mark.parametrize(
    ("op", "sides"),
    [
        ("a/First", (("before",), ("a",))),
        ("a/Middle", (("a",), ("a",))),
        ("a/Last", (("a",), ("b",))),
    ],
)
def test_a_layer_with_weights_stands_on_the_side_of_its_ops(
    op: str, sides: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    chain = ["x", "before/Mul", "a/First", "a/MatMul", "a/Middle", "a/Add", "a/Last", "b/Mul"]
    lines = [
        (source, consumer, CUT if consumer == op else FLOW)
        for source, consumer in zip(chain, [*chain[1:], "end"], strict=True)
    ]
    assert between([*lines, ("k", "a/MatMul", FLOW)], op, {"k": "a"}) == sides


def test_behind_a_cut_is_what_it_holds_back_and_before_it_where_floats_begin_again() -> None:
    lines: list[Line] = [
        ("x", "a/MatMul", FLOW),
        ("k", "a/MatMul", FLOW),
        ("a/MatMul", "ArgMax", FLOW),
        ("ArgMax", "Add", DISCRETE),
        ("Add", "table/Gather", DISCRETE),
        ("l", "table/Gather", FLOW),
        ("table/Gather", "end", FLOW),
    ]
    sides = between(lines, "ArgMax", {"k": "a", "l": "table"}, DISCRETE, "table/Gather")
    assert sides == (("a",), ("table",))
    condition: list[Line] = [
        ("x", "a/MatMul", FLOW),
        ("k", "a/MatMul", FLOW),
        ("x", "b/MatMul", FLOW),
        ("l", "b/MatMul", FLOW),
        ("a/MatMul", "Select", CUT),
        ("b/MatMul", "Select", FLOW),
        ("Select", "end", FLOW),
    ]
    assert between(condition, "Select") == (("a",), ())


def test_an_op_without_a_scope_belongs_to_the_owner_of_the_weight_that_it_reads() -> None:
    lines: list[Line] = [
        ("w", "ReadVariableOp", FLOW),
        ("x", "MatMul", FLOW),
        ("ReadVariableOp", "MatMul", FLOW),
        ("MatMul", "Round", CUT),
        ("Round", "Mul", FLOW),
        ("v", "Mul", FLOW),
        ("Mul", "end", FLOW),
    ]
    assert between(lines, "Round", {"w": "encoder", "v": "v"}) == (("encoder",), ("v",))


def test_a_scope_inside_a_layer_with_weights_is_that_layer() -> None:
    lines: list[Line] = [
        ("x", "bn/batchnorm/mul", FLOW),
        ("k", "bn/batchnorm/mul", FLOW),
        ("bn/batchnorm/mul", "Round", CUT),
        ("Round", "outer/inner/Mul", FLOW),
        ("l", "outer/other/Mul", FLOW),
        ("outer/inner/Mul", "outer/other/Mul", FLOW),
        ("outer/other/Mul", "end", FLOW),
    ]
    owners = {"k": "bn", "l": "outer/other"}
    assert between(lines, "Round", owners) == (("bn",), ("outer/inner",))


def test_a_loop_ends() -> None:
    lines: list[Line] = [
        ("x", "rnn/While", FLOW),
        ("rnn/Step", "rnn/While", FLOW),
        ("rnn/While", "rnn/Stop", CUT),
        ("rnn/Stop", "rnn/Step", FLOW),
        ("k", "rnn/Step", FLOW),
        ("rnn/While", "end", FLOW),
    ]
    assert between(lines, "rnn/Stop", {"k": "rnn"}) == (("rnn",), ("rnn",))
