"""Models of any size: towers of layers, each cut from the output at one place, so that weights and
findings grow together."""

from __future__ import annotations

from gradflow.analysis.result import summarize
from gradflow.diagnose import Evidence
from gradflow.files.model_file import StoredVariable
from gradflow.findings import (
    Finding,
    FlowMap,
    Format,
    Mode,
    ModelReport,
    Report,
    Role,
    Status,
    Tool,
    Variable,
)
from gradflow.flow.attribute import attribute
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder


def towers(weights: int, each: int) -> Evidence:
    """``weights`` in towers of ``each``, joined two by two."""
    builder = GraphBuilder()
    variables: dict[str, int] = {}
    ends = []
    for tower in range(weights // each):
        last = builder.node(f"x{tower}", "Placeholder")
        for number in range(each):
            last = _dense(builder, variables, f"tower_{tower}/dense_{number}", last)
        stop = builder.node(f"tower_{tower}/StopGradient", "StopGradient")
        builder.edge(last, stop, Edge.CUT)
        ends.append(stop)
    level = 0
    while len(ends) > 1:
        level += 1
        joined = []
        for number in range(0, len(ends), 2):
            both = builder.node(f"join_{level}/add_{number}", "AddV2")
            for end in ends[number : number + 2]:
                builder.edge(end, both, Edge.FLOW)
            joined.append(both)
        ends = joined
    graph = builder.build(variables, ends)
    return evidence_of(graph)


def chain(weights: int, middle: Edge = Edge.CUT) -> Evidence:
    """``weights`` along one chain of ops, all behind the cut in its ``middle``."""
    builder = GraphBuilder()
    variables: dict[str, int] = {}
    last = builder.node("x", "Placeholder")
    for number in range(weights):
        last = _dense(builder, variables, f"dense_{number}", last)
    for number in range(weights):
        op = "Relu" if number or middle is Edge.FLOW else "StopGradient"
        following = builder.node(f"behind/{op}_{number}", op)
        builder.edge(last, following, Edge.FLOW if number else middle)
        last = following
    return evidence_of(builder.build(variables, [last]))


def evidence_of(graph: FlowGraph) -> Evidence:
    """What is known of a graph whose layers are the scopes of its ops."""

    def layer_of(node: int) -> str | None:
        return graph.names[node].rpartition("/")[0] or None

    stored = tuple(
        StoredVariable(
            name=name,
            layer=name.rpartition("/")[0],
            shape=(3, 5),
            dtype="float32",
            role=Role.WEIGHT,
            trainable=True,
            frozen_by=None,
        )
        for name in graph.variables
    )
    return Evidence(variables=stored, graph=graph, attributions=attribute(graph), layer_of=layer_of)


def report_of(
    variables: tuple[Variable, ...], findings: tuple[Finding, ...], flow_map: FlowMap
) -> Report:
    """The report of a model that was only read."""
    model = ModelReport(
        path="grown.keras",
        format=Format.KERAS,
        producer=None,
        entry=None,
        objective="outputs",
        mode=Mode.STATIC,
        status=Status.ANALYZED,
        error=None,
        inputs=(),
        outputs=(),
        variables=variables,
        findings=findings,
        expectations=(),
        summary=summarize(variables),
        map=flow_map,
    )
    return Report(Tool("gradflow", "0", None, None), (model,))


def _dense(builder: GraphBuilder, variables: dict[str, int], layer: str, source: int) -> int:
    """Multiply ``source`` by a weight of the layer's own, and return the product."""
    variables[f"{layer}/kernel"] = kernel = builder.node(f"{layer}/kernel", "VarHandleOp")
    product = builder.node(f"{layer}/MatMul", "MatMul")
    builder.edge(source, product, Edge.FLOW)
    builder.edge(kernel, product, Edge.FLOW)
    return product
