"""The 0-1 walk against brute force on small random graphs, loops included."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradflow.flow.attribute import attribute
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder
from tests.examples import examples

_KINDS = [
    Edge.FLOW,
    Edge.FLOW,
    Edge.FLOW,
    Edge.CUT,
    Edge.ZERO,
    Edge.DISCRETE,
    Edge.DISCRETE,
    Edge.FILL,
]

# An edge is (source, consumer, kind). A removed cut is the number of the op that passes no
# gradient; for a passage outside floating point, that is the op which leaves it.
Edges = list[tuple[int, int, Edge]]


def _decoded(data: bytes) -> tuple[int, Edges, list[int]]:
    """A graph of 2 to 9 nodes, with its edges and one or two outputs, from a string of bytes."""
    size = 2 + data[0] % 8
    outputs = sorted({data[1] % size, data[2] % size}) if data[2] & 128 else [data[1] % size]
    triples = zip(data[3::3], data[4::3], data[5::3], strict=False)
    edges = [(a % size, b % size, _KINDS[kind % len(_KINDS)]) for a, b, kind in triples]
    return size, [edge for edge in edges[: 2 * size] if edge[0] != edge[1]], outputs


def graphs() -> st.SearchStrategy[tuple[int, Edges, list[int]]]:
    """Random graphs. One draw of bytes each: a draw for every edge takes most of a test's time."""
    return st.integers(0, 18).flatmap(
        lambda edges: st.binary(min_size=3 + 3 * edges, max_size=3 + 3 * edges).map(_decoded)
    )


@settings(max_examples=examples(120))
@given(graphs())
def test_distance_is_the_smallest_set_of_cuts_whose_removal_brings_the_gradient_back(drawn) -> None:
    size, edges, outputs = drawn
    found = attribute(_build(size, edges, outputs))
    for node in range(size):
        assert found[str(node)].cuts_to_restore == _fewest_cuts(edges, outputs, node)


@settings(max_examples=examples(120))
@given(graphs())
def test_causes_are_the_frontier_cuts_where_the_variable_enters_the_region_first(drawn) -> None:
    size, edges, outputs = drawn
    found = attribute(_build(size, edges, outputs))
    passing = [(a, b, Edge.FLOW if kind is Edge.ZERO else kind) for a, b, kind in edges]
    filled = _filled(edges, outputs)
    for node in range(size):
        expected = _causes(edges, outputs, node)
        if node not in filled:  # what keeps even zeros from it is a cause as well
            expected |= _causes(passing, outputs, node)
        causes = found[str(node)].causes
        assert {cut.node for cut in causes} == expected
        assert len(causes) == len({cut.node for cut in causes}), "each cut once"


@settings(max_examples=examples(100))
@given(graphs())
def test_every_cause_stands_in_a_repair_of_which_no_cut_can_be_spared(drawn) -> None:
    size, drawn_edges, outputs = drawn
    edges = _as_of_real_ops(drawn_edges)
    found = attribute(_build(size, edges, outputs))
    cuts = sorted({cut.node for one in found.values() for cut in one.causes})
    others = sorted({consumer for _, consumer, kind in edges if kind is not Edge.FILL} - {*cuts})
    assume(len(cuts) + len(others) <= 7)
    reached = {
        removed: _reached(edges, outputs, removed)
        for removed in map(frozenset, _subsets(cuts + others))
    }
    for node in range(size):
        repairs = [removed for removed, by_it in reached.items() if node in by_it]
        smallest = [one for one in repairs if not any(other < one for other in repairs)]
        for cut in found[str(node)].causes:
            assert any(cut.node in one for one in smallest)


def _as_of_real_ops(edges: Edges) -> Edges:
    """One that passes only zeros does so to each input, and gives no integers."""
    zeros = {consumer for _, consumer, kind in edges if kind is Edge.ZERO}
    return [
        (
            source,
            consumer,
            Edge.ZERO
            if consumer in zeros
            else Edge.FLOW
            if kind is Edge.DISCRETE and source in zeros
            else kind,
        )
        for source, consumer, kind in edges
    ]


def _subsets(cuts: list[int]) -> Iterator[tuple[int, ...]]:
    for count in range(len(cuts) + 1):
        yield from combinations(cuts, count)


def _causes(edges: Edges, outputs: list[int], node: int) -> set[int]:
    """The frontier cuts that the data of ``node`` comes to without having entered the region that
    gets gradient before, be it by an integer: a search along the data, with the cut as its last
    step."""
    region = _reached(edges, outputs, frozenset())
    inside = _passages_at(edges, region)
    causes: set[int] = set()
    entered = [(node, False)] if node not in region else []
    seen = set(entered)
    while entered:
        here, is_discrete = entered.pop()
        for source, consumer, kind in edges:
            if source != here or kind is Edge.FILL or (kind is Edge.DISCRETE) != is_discrete:
                continue
            if not is_discrete and consumer in inside:
                causes.add(consumer)  # it leaves the floats for a passage into the region
            if not is_discrete and consumer in region and kind is not Edge.FLOW:
                causes.add(consumer)
            is_border = consumer in region or consumer in inside
            following = {(consumer, True)} if is_discrete or not is_border else set()
            if consumer not in region and (kind is Edge.FLOW or not is_border):
                following.add((consumer, False))
            for step in following - seen:
                seen.add(step)
                entered.append(step)
    return causes


def _passages_at(edges: Edges, region: set[int]) -> set[int]:
    """The nodes whose integers come back as floats inside the region."""
    discrete: set[int] = set()
    for _ in edges:
        for source, consumer, kind in edges:
            if kind is Edge.DISCRETE and (consumer in region or consumer in discrete):
                discrete.add(source)
    return discrete


def _filled(edges: Edges, outputs: list[int]) -> set[int]:
    """The nodes that get a tensor, be it of zeros."""
    filled = set(outputs)
    for _ in edges:
        filled |= {
            source
            for source, consumer, kind in edges
            if consumer in filled and kind in (Edge.FLOW, Edge.ZERO, Edge.FILL)
        }
    return filled


@settings(max_examples=examples(80))
@given(graphs())
def test_the_path_is_made_of_edges_and_crosses_as_many_cuts_as_the_distance_says(drawn) -> None:
    size, edges, outputs = drawn
    for key, attribution in attribute(_build(size, edges, outputs)).items():
        path = attribution.path
        if attribution.cuts_to_restore is None:
            assert path == ()
            continue
        assert path[0] == int(key)
        assert path[-1] in outputs
        steps = list(pairwise(path))
        assert all(
            any((s, c) == step and k is not Edge.FILL for s, c, k in edges) for step in steps
        )
        assert (
            _fewest_cuts([edge for edge in edges if edge[:2] in steps], [path[-1]], path[0])
            is not None
        )


def test_a_passage_is_one_cut_named_after_the_op_that_leaves_floating_point() -> None:
    builder = GraphBuilder()
    kernel, argmax, add, one_hot, head = (
        builder.node(name, name) for name in ("kernel", "ArgMax", "Add", "OneHot", "head")
    )
    builder.edge(kernel, argmax, Edge.CUT)
    builder.edge(argmax, add, Edge.DISCRETE)
    builder.edge(add, one_hot, Edge.DISCRETE)
    builder.edge(one_hot, head, Edge.FLOW)
    found = attribute(builder.build({"kernel": kernel}, [head]))["kernel"]
    assert found.cuts_to_restore == 1
    assert [(cut.node, cut.reenters_at) for cut in found.causes] == [(argmax, one_hot)]
    assert found.path == (kernel, argmax, add, one_hot, head)


def test_a_variable_that_only_an_integer_output_depends_on_is_cut_and_not_unused() -> None:
    builder = GraphBuilder()
    kernel, argmax, unused = (
        builder.node("kernel", "Var"),
        builder.node("ArgMax", "ArgMax"),
        builder.node("u", "Var"),
    )
    builder.edge(kernel, argmax, Edge.CUT)
    found = attribute(
        builder.build({"kernel": kernel, "unused": unused}, [], discrete_outputs=[argmax])
    )
    assert [cut.node for cut in found["kernel"].causes] == [argmax]
    assert found["kernel"].cuts_to_restore == 1
    assert found["unused"].cuts_to_restore is None


def test_zero_filling_reaches_only_what_shares_a_function_with_something_alive() -> None:
    builder = GraphBuilder()
    dead, alive, output, hub = (
        builder.node(name, "Op") for name in ("dead", "alive", "output", "hub")
    )
    other = builder.node("other", "Op")
    builder.edge(alive, output, Edge.FLOW)
    builder.edge(hub, output, Edge.FILL)
    builder.edge(dead, hub, Edge.FILL)
    builder.edge(other, output, Edge.CUT)
    found = attribute(builder.build({"dead": dead, "alive": alive, "other": other}, [output]))
    assert (found["dead"].zero_filled, found["alive"].zero_filled, found["other"].zero_filled) == (
        True,
        False,
        False,
    )


def _build(size: int, edges: Edges, outputs: list[int]) -> FlowGraph:
    builder = GraphBuilder()
    for node in range(size):
        builder.node(f"n{node}", "Op")
    for source, consumer, kind in edges:
        builder.edge(source, consumer, kind)
    return builder.build({str(node): node for node in range(size)}, outputs)


def _fewest_cuts(edges: Edges, outputs: list[int], node: int) -> int | None:
    cuts = sorted({consumer for _, consumer, kind in edges if kind is not Edge.FILL})
    for count in range(len(cuts) + 1):
        for removed in combinations(cuts, count):
            if node in _reached(edges, outputs, frozenset(removed)):
                return count
    return None


def _reached(edges: Edges, outputs: list[int], removed: frozenset[int]) -> set[int]:
    """Nodes that get gradient once the cuts in ``removed`` are gone, by repeated application of the
    rules."""
    floating, discrete = set(outputs), set()
    while True:
        before = len(floating), len(discrete)
        for source, consumer, kind in edges:
            if kind is Edge.DISCRETE:
                if consumer in floating or consumer in discrete:
                    discrete.add(source)
            elif kind is not Edge.FILL:
                by_float = consumer in floating and (kind is Edge.FLOW or consumer in removed)
                by_passage = consumer in discrete and consumer in removed
                if by_float or by_passage:
                    floating.add(source)
        if before == (len(floating), len(discrete)):
            return floating


def _ancestors(edges: Edges, node: int) -> set[int]:
    found = {node}
    for _ in edges:
        found |= {
            source
            for source, consumer, kind in edges
            if consumer in found and kind is not Edge.FILL
        }
    return found


def test_many_cuts_that_are_repeated_count_once_each() -> None:
    """Twelve places, of which each of three calls crosses all; on the other way thirteen cuts."""
    builder = GraphBuilder()
    variable = builder.node("v", "VarHandleOp")
    copies = [[builder.node(f"cut{place}", "StopGradient") for place in range(12)] for _ in "abc"]
    single = [builder.node(f"single{place}", "StopGradient") for place in range(13)]
    output = builder.node("y", "Identity")
    for way in ([node for copy in copies for node in copy], single):
        for source, consumer in pairwise([variable, *way]):
            builder.edge(source, consumer, Edge.CUT)
        builder.edge(way[-1], output, Edge.FLOW)
    builder.repeats = [(copy[0], copies[0][0], 12) for copy in copies[1:]]
    assert attribute(builder.build({"v": variable}, [output]))["v"].cuts_to_restore == 12
