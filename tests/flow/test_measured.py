"""What a step brought to the nodes of a graph marks the cuts that only the step can show."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.flow.attribute import attribute
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder, Mark
from gradflow.flow.measured import (
    Arrivals,
    Arrived,
    arrivals_of,
    with_dead_ends,
    with_nonfinite_sources,
)
from tests.examples import examples

ALIVE = Arrived.RUN | Arrived.GRADIENT | Arrived.SOMETHING
ZEROS = Arrived.RUN | Arrived.GRADIENT
BROKEN = ALIVE | Arrived.NONFINITE


@st.composite
def stepped(draw: st.DrawFn) -> tuple[FlowGraph, list[bool]]:
    """A graph without loops whose every edge flows, and which of its nodes a step left alive."""
    size = draw(st.integers(2, 9))
    pairs = [(source, consumer) for consumer in range(size) for source in range(consumer + 1, size)]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=2 * size, unique=True))
    dying = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    builder = GraphBuilder()
    for node in range(size):
        builder.node(f"n{node}", "Mul")
    for source, consumer in edges:
        builder.edge(source, consumer, Edge.FLOW)
    alive = [False] * size
    for node in range(size):  # consumers have smaller numbers than their sources
        fed = node == 0 or any(alive[consumer] for source, consumer in edges if source == node)
        alive[node] = fed and not (dying[node] and node)
    return builder.build({str(node): node for node in range(size)}, [0]), alive


@settings(max_examples=examples(150))
@given(stepped())
def test_gradient_dies_between_a_node_that_has_some_and_one_that_has_none(
    drawn: tuple[FlowGraph, list[bool]],
) -> None:
    graph, alive = drawn
    measured = Arrivals(bytearray(ALIVE if one else ZEROS for one in alive), {})
    before, after = attribute(graph), attribute(with_dead_ends(graph, measured))
    for key, found in after.items():
        node = int(key)
        reaches = before[key].cuts_to_restore == 0
        assert (found.cuts_to_restore == 0) == alive[node]
        assert bool(found.causes) == (reaches and not alive[node])
        for cut in found.causes:
            assert cut.kind is Edge.DEAD
            assert alive[cut.node]
            assert cut.source is not None
            assert not alive[cut.source]


def test_a_gate_that_was_not_passed_is_named_and_not_what_stands_behind_it() -> None:
    builder = GraphBuilder()
    weight = builder.node("weight", "ReadVariableOp")
    inside = builder.node("cond/else/Mul", "Mul")
    gate = builder.node("cond/else", "If", Mark.GATE)
    output = builder.node("cond", "If")
    for source, consumer in ((weight, inside), (inside, gate), (gate, output)):
        builder.edge(source, consumer, Edge.FLOW)
    graph = builder.build({"weight": weight}, [output])
    measured = Arrivals(bytearray([0, 0, 0, ALIVE]), {})
    (cut,) = attribute(with_dead_ends(graph, measured))["weight"].causes
    assert (cut.node, cut.kind) == (gate, Edge.UNTAKEN)


def test_the_output_of_a_loop_that_was_run_does_not_come_from_the_initial_value() -> None:
    builder = GraphBuilder()
    initial = builder.node("initial", "ReadVariableOp")
    carried = builder.node("while", "While", Mark.CARRIED)
    gate = builder.node("while/body", "While", Mark.GATE)
    output = builder.node("while", "While")
    body = builder.node("while/body/Mul", "Mul")
    for source, consumer in (
        (initial, carried),
        (carried, output),
        (gate, output),
        (gate, carried),
        (body, gate),
    ):
        builder.edge(source, consumer, Edge.FLOW)
    graph = builder.build({"initial": initial, "body": body}, [output])
    measured = Arrivals(bytearray([ZEROS, ZEROS, ALIVE, ALIVE, ALIVE]), {})
    found = attribute(with_dead_ends(graph, measured))
    assert [cut.kind for cut in found["initial"].causes] == [Edge.OVERWRITTEN]
    assert found["body"].cuts_to_restore == 0


def test_nan_comes_by_the_edge_that_carries_it() -> None:
    builder = GraphBuilder()
    weight = builder.node("weight", "ReadVariableOp")
    root = builder.node("Sqrt", "Sqrt")
    other = builder.node("Mul", "Mul")
    output = builder.node("Add", "AddV2")
    for source, consumer in ((weight, root), (weight, other), (root, output), (other, output)):
        builder.edge(source, consumer, Edge.FLOW)
    graph = builder.build({"weight": weight}, [output])
    places = {("", name, "0"): node for node, name in enumerate(graph.names)}
    nodes = {
        ("", "weight", "0"): BROKEN,
        **{("", name, "0"): ALIVE for name in ("Sqrt", "Mul", "Add")},
    }
    edges = {(("", "Sqrt", "0"), 0): BROKEN, (("", "Mul", "0"), 0): ALIVE}
    measured = arrivals_of(graph, places, nodes, edges)
    (cut,) = attribute(with_nonfinite_sources(graph, measured))["weight"].causes
    assert (cut.node, cut.kind, cut.source) == (root, Edge.NONFINITE, weight)
