"""The way of a variable and the repair of its cuts, against brute force on small random graphs."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import assume, given, settings

from gradflow.flow.attribute import attribute
from gradflow.flow.graph import Edge, GraphBuilder
from gradflow.flow.routes import behind, cuts_of_equal_ways, restored, way
from tests.examples import examples
from tests.flow.test_attribute import _ancestors, _build, _reached, graphs


@settings(max_examples=examples(100))
@given(graphs())
def test_the_cuts_on_the_way_are_the_smallest_repair(drawn) -> None:
    size, edges, outputs = drawn
    graph = _build(size, edges, outputs)
    for key, found in attribute(graph).items():
        stops = way(graph, found)
        cuts = [stop.cut for stop in stops if stop.cut is not None]
        assert [stop.node for stop in stops] == list(found.path)
        assert len(cuts) == (found.cuts_to_restore or 0)
        removed = frozenset(cut.node for cut in cuts)
        if found.cuts_to_restore is not None:
            assert int(key) in _reached(edges, outputs, removed)
            assert restored(graph, stops) == {
                str(node) for node in _reached(edges, outputs, removed)
            }


@settings(max_examples=examples(100))
@given(graphs())
def test_the_last_cut_on_the_way_is_a_cause_and_gradient_comes_up_to_it(drawn) -> None:
    size, edges, outputs = drawn
    graph = _build(size, edges, outputs)
    region = _reached(edges, outputs, frozenset())
    for found in attribute(graph).values():
        stops = way(graph, found)
        places = [place for place, stop in enumerate(stops) if stop.cut is not None]
        if not places:
            assert all(stop.fed for stop in stops)
            continue
        last = stops[places[-1]].cut
        assert last in found.causes
        assert all(stop.node in region for stop in stops if stop.fed)
        assert not any(stop.fed for stop in stops[: places[-1]])


@settings(max_examples=examples(100))
@given(graphs())
def test_behind_a_cut_of_the_frontier_stand_those_that_name_it_as_a_cause(drawn) -> None:
    size, edges, outputs = drawn
    graph = _build(size, edges, outputs)
    found = attribute(graph)
    for cut in {cut for one in found.values() for cut in one.causes}:
        held = behind(graph, cut)
        assert {key for key, one in found.items() if cut in one.causes} <= held
        assert {int(key) for key in held} <= _ancestors(edges, cut.node)


@settings(max_examples=examples(80))
@given(graphs())
def test_the_cuts_of_equal_ways_are_those_of_all_smallest_repairs(drawn) -> None:
    size, edges, outputs = drawn
    graph = _build(size, edges, outputs)
    cuts = sorted({consumer for _, consumer, kind in edges if kind is not Edge.FILL})
    assume(len(cuts) <= 7)
    for key, found in attribute(graph).items():
        if not found.cuts_to_restore:
            assert cuts_of_equal_ways(graph, found) == ()
            continue
        repairs = [
            removed
            for removed in combinations(cuts, found.cuts_to_restore)
            if int(key) in _reached(edges, outputs, frozenset(removed))
        ]
        assert {cut.node for cut in cuts_of_equal_ways(graph, found)} == {*chain(*repairs)}


def test_a_cut_behind_another_one_holds_back_only_what_stands_behind_itself() -> None:
    builder = GraphBuilder()
    first, second, inner, between, outer, head = (
        builder.node(name, "Op")
        for name in ("first", "second", "inner", "between", "outer", "head")
    )
    builder.edge(first, inner, Edge.CUT)
    builder.edge(inner, between, Edge.FLOW)
    builder.edge(second, between, Edge.FLOW)
    builder.edge(between, outer, Edge.CUT)
    builder.edge(outer, head, Edge.FLOW)
    graph = builder.build({"first": first, "second": second}, [head])
    found = attribute(graph)
    stops = way(graph, found["first"])
    cuts = [stop.cut for stop in stops if stop.cut is not None]
    assert [cut.node for cut in cuts] == [inner, outer]
    assert [behind(graph, cut) for cut in cuts] == [{"first"}, {"first", "second"}]
    assert restored(graph, stops) == {"first", "second"}
    assert restored(graph, way(graph, found["second"])) == {"second"}


def test_a_passage_is_left_at_its_first_op_and_ends_where_the_data_comes_back() -> None:
    builder = GraphBuilder()
    kernel, argmax, one_hot, head = (
        builder.node(name, name) for name in ("kernel", "ArgMax", "OneHot", "head")
    )
    builder.edge(kernel, argmax, Edge.CUT)
    builder.edge(argmax, one_hot, Edge.DISCRETE)
    builder.edge(one_hot, head, Edge.FLOW)
    graph = builder.build({"kernel": kernel}, [head])
    stops = way(graph, attribute(graph)["kernel"])
    assert [(stop.node, stop.fed) for stop in stops] == [
        (kernel, False),
        (argmax, False),
        (one_hot, True),
        (head, True),
    ]
    assert [stop.cut and stop.cut.reenters_at for stop in stops] == [None, one_hot, None, None]
