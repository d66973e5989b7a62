"""Attribution of a synthetic graph: ``python -m tests.benchmarks.attribution SHAPE NODES`` prints
time and memory."""

from __future__ import annotations

import json
import resource
import sys
import time

from gradflow.flow.attribute import attribute
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder

_BLOCK = 10
"""Nodes of a block: a variable, its read, and ops with a residual edge around them."""
_TOWER = 1_000
SHAPES = ("deep", "towers")


def synthetic(shape: str, nodes: int) -> FlowGraph:
    """A graph of about ``nodes`` nodes and 1.3 times as many edges, with a variable in every ten.

    ``deep``: one chain of residual blocks with 16 cuts, whatever its size; half of them only pass
    an integer. ``towers``: towers of 1000 nodes into one output, every second one behind a cut: the
    cuts grow with the graph.
    """
    builder = GraphBuilder()
    variables: dict[str, int] = {}
    start = builder.node("x", "Placeholder")
    output = builder.node("y", "AddN")
    if shape == "deep":
        blocks = nodes // _BLOCK
        cut_every = max(1, blocks // 16)
        at = start
        for block in range(blocks):
            at = _block(builder, variables, at, block, cut=block % cut_every == cut_every // 2)
        builder.edge(at, output, Edge.FLOW)
    else:
        for tower in range(nodes // _TOWER):
            at = start
            for block in range(_TOWER // _BLOCK):
                cut = tower % 2 == 0 and block == _TOWER // _BLOCK // 2
                at = _block(builder, variables, at, tower * _TOWER + block, cut=cut)
            builder.edge(at, output, Edge.FLOW)
    return builder.build(variables, [output])


def measure(shape: str, nodes: int) -> dict[str, float]:
    """Seconds of one attribution (best of a few: a machine is only ever slower than it is) and MiB
    of the process."""
    graph = synthetic(shape, nodes)
    repeats = max(3, min(50, 1_000_000 // len(graph)))
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        found = attribute(graph)
        seconds.append(time.perf_counter() - began)
        assert len(found) == len(graph.variables)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"nodes": len(graph), "seconds": min(seconds), "peak_mib": peak}


def _block(
    builder: GraphBuilder, variables: dict[str, int], source: int, number: int, *, cut: bool
) -> int:
    variable = builder.node(f"w{number}", "VarHandleOp")
    variables[f"w{number}"] = variable
    read = builder.node(f"w{number}/read", "ReadVariableOp")
    builder.edge(variable, read, Edge.FLOW)
    at = builder.node(f"mul{number}", "MatMul")
    builder.edge(source, at, Edge.FLOW)
    builder.edge(read, at, Edge.FLOW)
    for step in range(_BLOCK - 4):
        following = builder.node(f"op{number}_{step}", "Relu")
        builder.edge(
            at, following, Edge.DISCRETE if cut and number % 2 and step == 2 else Edge.FLOW
        )
        at = following
    end = builder.node(f"add{number}", "AddV2")
    builder.edge(at, end, Edge.CUT if cut else Edge.FLOW)
    builder.edge(source, end, Edge.CUT if cut else Edge.FLOW)
    return end


if __name__ == "__main__":
    json.dump(measure(sys.argv[1], int(sys.argv[2])), sys.stdout)
