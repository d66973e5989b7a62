"""Properties of the map on random graphs, loops included: what it says follows from verdicts and
causes."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.diagnose import Evidence, diagnose
from gradflow.diagnose.flow_map import draw_map
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Carried, FlowMap, NodeKind, NodeState, Role, Variable
from gradflow.flow.attribute import attribute
from gradflow.flow.blocks import in_blocks
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder
from gradflow.flow.nested import Nested, nested
from tests.examples import examples
from tests.flow.test_attribute import Edges, graphs


def layer(node: int, layers: int) -> str:
    return f"block{node % layers // 2}/l{node % layers}"


def built(size: int, edges: Edges, outputs: list[int], layers: int) -> FlowGraph:
    builder = GraphBuilder()
    for node in range(size):
        builder.node(f"{layer(node, layers)}/op{node}", "AddV2")
    for source, consumer, kind in edges:
        builder.edge(source, consumer, kind)
    variables = {f"{layer(node, layers)}/w{node}": node for node in range(size)}
    return builder.build(variables, outputs)


def drawn(graph: FlowGraph, layers: int) -> tuple[tuple[Variable, ...], FlowMap]:
    evidence, variables = diagnosed(graph, layers)
    return variables, draw_map(evidence, variables, ())


def diagnosed(graph: FlowGraph, layers: int) -> tuple[Evidence, tuple[Variable, ...]]:
    stored = tuple(
        StoredVariable(
            name=name,
            layer=layer(node, layers),
            shape=(node + 1,),
            dtype="float32",
            role=Role.WEIGHT,
            trainable=node % 5 != 4,
            frozen_by=None,
        )
        for name, node in graph.variables.items()
    )
    evidence = Evidence(
        variables=stored,
        graph=graph,
        attributions=attribute(graph),
        layer_of=lambda node: layer(node, layers),
    )
    return evidence, diagnose(evidence)[0]


@settings(max_examples=examples(100))
@given(graphs(), st.integers(1, 6))
def test_the_map_says_what_verdicts_and_causes_say(
    picked: tuple[int, Edges, list[int]], layers: int
) -> None:
    size, edges, outputs = picked
    graph = built(size, edges, outputs, layers)
    variables, flow_map = drawn(graph, layers)
    refuse_odd_tree(flow_map, variables)
    names = {node.id: node.name for node in flow_map.nodes}
    causes = {cause.op for variable in variables for cause in variable.causes if cause.op}
    assert {op for edge in flow_map.edges for op in edge.cuts} == causes
    flowing = reached(edges, outputs)
    ends = {node.id for node in flow_map.nodes if node.kind is NodeKind.OUTPUT}
    for edge in flow_map.edges:
        pair = names[edge.source], names[edge.target]
        assert edge.cuts or edge.gradient is not Carried.CUT
        assert edge.gradient is not Carried.FLOWS or not edge.cuts
        for op in edge.cuts:
            assert pair in around(edges, int(op.rpartition("op")[2]), layers)
        if edge.gradient is Carried.FLOWS and edge.target not in ends:
            assert any(
                (layer(source, layers), layer(consumer, layers)) == pair and consumer in flowing
                for source, consumer, kind in edges
                if kind is Edge.FLOW
            )


def around(edges: Edges, node: int, layers: int) -> set[tuple[str, str]]:
    """The pairs of layers that a cut at ``node`` can stand between: data comes to it from another
    layer, or it stands at the end of its own one."""
    own = layer(node, layers)
    before = {(layer(source, layers), own) for source, consumer, _ in edges if consumer == node}
    after = {(own, layer(consumer, layers)) for source, consumer, _ in edges if source == node}
    return before | after | {(own, own)}


def reached(edges: Edges, outputs: list[int]) -> set[int]:
    region = set(outputs)
    while True:
        more = {
            source for source, consumer, kind in edges if consumer in region and kind is Edge.FLOW
        } - region
        if not more:
            return region
        region |= more


def refuse_odd_tree(flow_map: FlowMap, variables: tuple[Variable, ...]) -> None:
    """Every weight stands at one leaf, parents are the sums of what they hold, ids are unique and
    in order, and edges go between leaves."""
    by_name = {item.name: item for item in variables if item.role is Role.WEIGHT}
    assert [node.id for node in flow_map.nodes] == list(range(len(flow_map.nodes)))
    holders = {node.parent for node in flow_map.nodes} - {None}
    assert all(node.parent is None or node.parent < node.id for node in flow_map.nodes)
    leaves = [node for node in flow_map.nodes if node.id not in holders]
    assert Counter(name for node in leaves for name in node.variables) == Counter([*by_name])
    for node in leaves:
        weights = [by_name[name] for name in node.variables]
        said = {item.verdict.value if item.trainable else "frozen" for item in weights}
        expected = "passes" if not said else said.pop() if len(said) == 1 else "mixed"
        assert node.state is NodeState(expected)
        assert node.parameters == sum(item.parameters for item in weights)
    for holder in (node for node in flow_map.nodes if node.id in holders):
        inside = [node for node in flow_map.nodes if node.parent == holder.id]
        assert holder.weights == sum(node.weights for node in inside)
        assert holder.parameters == sum(node.parameters for node in inside)
    for edge in flow_map.edges:
        assert not {edge.source, edge.target} & holders


NAMES = st.lists(
    st.sampled_from(["block1a_x", "block1b", "conv2_block1_1_bn", "a/b/c", "a/b", "dense_1", "a"]),
    max_size=120,
)


@given(NAMES)
def test_nesting_keeps_each_leaf_once(names: list[str]) -> None:
    items = in_blocks(nested(names, [None] * len(names)))
    assert sorted(leaves_in(items)) == list(range(len(names)))


def test_an_output_does_not_stand_in_the_submodel_of_its_name() -> None:
    items = nested(["conv", "real", "discriminator"], [["discriminator"]] * 2 + [()], {2})
    assert [item.name for item in items] == ["discriminator", "discriminator"]
    assert [leaves_in([item]) for item in items] == [[0, 1], [2]]


def leaves_in(items: list[Nested]) -> list[int]:
    leaves: list[int] = []
    for item in items:
        leaves += leaves_in(item.inside) if item.leaf is None else [item.leaf]
    return leaves


@pytest.mark.parametrize("count", [41, 300, 301, 5000, 40_000])
def test_few_nodes_are_seen_at_once(count: int) -> None:
    items = in_blocks(nested([f"dense_{number}" for number in range(count)], [None] * count))
    assert len(leaves_in(items)) == count
    assert widest(items) <= 300


def widest(items: list[Nested]) -> int:
    return max([len(items), *(widest(item.inside) for item in items)])


def test_blocks_are_told_from_the_names_of_layers() -> None:
    names = [
        f"block{stage}{letter}_{part}"
        for stage in range(1, 6)
        for letter in "abc"
        for part in ("conv", "bn", "activation")
    ]
    items = in_blocks(nested(["stem", *names, "top"], [None] * (len(names) + 2)))
    assert [item.name for item in items] == ["stem", *(f"block{s}" for s in range(1, 6)), "top"]
    assert [item.name for item in items[1].inside] == ["block1a", "block1b", "block1c"]
    encoder = [
        f"encoder/layer_{number}/{part}"
        for number in range(24)
        for part in ("query", "key", "value", "out", "norm")
    ]
    (holder,) = in_blocks(nested(encoder, [None] * len(encoder)))
    assert [item.name for item in holder.inside] == [f"encoder/layer_{n}" for n in range(24)]


def test_the_work_grows_with_the_size() -> None:
    """Counted in calls of functions, for nothing else is the same on every machine."""
    assert calls(800) < 6 * calls(200)


def calls(count: int) -> int:
    """Calls that the map of a chain of layers takes, with a cut after each fiftieth."""
    edges = [(node, node + 1, Edge.CUT if node % 50 == 7 else Edge.FLOW) for node in range(count)]
    graph = built(count + 1, edges, [count], count + 1)
    evidence, variables = diagnosed(graph, count + 1)
    called = 0

    def counting(*_: object) -> None:
        nonlocal called
        called += 1

    sys.setprofile(counting)
    try:
        draw_map(evidence, variables, ())
    finally:
        sys.setprofile(None)
    return called
