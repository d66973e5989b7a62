"""What is first on a path is found as by following each path to its end."""

from __future__ import annotations

from collections.abc import Container, Iterable

from hypothesis import given
from hypothesis import strategies as st

from gradflow.flow.attribute import attribute
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder, Mark
from gradflow.flow.nearest import nearest_branch, nearest_end, nearest_loop
from gradflow.ops.families import BRANCHES, LOOPS

OPS = ["VarHandleOp", "Relu", "StopGradient", "ArgMax", *sorted(BRANCHES | LOOPS)]


@given(st.data())
def test_any_graph(data: st.DataObject) -> None:
    """Nodes in the order of their edges, of all kinds, with several outputs and several places in
    one."""
    builder = GraphBuilder()
    ops = data.draw(st.lists(st.sampled_from(OPS), min_size=2, max_size=60))
    nodes = [
        builder.node(f"{op}_{number}", op, mark=data.draw(st.sampled_from([0, Mark.GATE])))
        for number, op in enumerate(ops)
    ]
    kinds = [Edge.FLOW, Edge.FLOW, Edge.FLOW, Edge.CUT, Edge.DISCRETE]
    for number, node in enumerate(nodes[1:], 1):
        for _ in range(data.draw(st.integers(1, 2))):
            near = data.draw(st.integers(max(0, number - 3), number - 1))
            builder.edge(nodes[near], node, data.draw(st.sampled_from(kinds)))
    outputs = data.draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=4, unique=True))
    graph = builder.build({f"w{node}": node for node in nodes}, outputs[1:], outputs[:1])
    branches, loops, ends = nearest_branch(graph), nearest_loop(graph), nearest_end()
    for attribution in attribute(graph).values():
        path = attribution.path
        assert ends.node(attribution) == (path[-1] if path else None)
        taken = [node for node in path if not graph.marks[node] & Mark.GATE]
        assert branches.node(attribution) == first(graph, taken, BRANCHES)
        assert loops.node(attribution) == first(graph, path, LOOPS)


def first(graph: FlowGraph, path: Iterable[int], ops: Container[str]) -> int | None:
    return next((node for node in path if graph.ops[node] in ops), None)
