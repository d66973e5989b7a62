"""What gradflow writes for Model Explorer: held against its documented types, and its own loader
where it is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gradflow.analysis.result import NO_TENSORFLOW, report_of
from gradflow.analysis.static import read
from gradflow.files.recognise import recognise
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.findings import NodeState
from gradflow.options import Options
from gradflow.report.model_explorer import COLORS, render

SAMPLES = Path("sample_models")
TOWERS = SAMPLES / "two_towers_saved_model"


def written(name: str) -> Any:
    report = read(str(SAMPLES / name), Options(map=True)).report
    return json.loads(render(report_of([(NO_TENSORFLOW, report)])))


def ops(path: Path) -> dict[str, list[str]]:
    """The ops of each graph, as the viewer counts them: a function has one for its arguments."""
    with recognise(str(path)) as file:
        (contents,) = read_saved_model(file)
    graph = contents.graph_def
    graphs = {"main": [node.name for node in graph.node]}
    for function in graph.library.function:
        graphs[function.signature.name] = ["", *(node.name for node in function.node_def)]
    return graphs


def colored(data: dict[str, Any], color: str) -> set[str]:
    names = ops(TOWERS)
    return {
        names[graph][int(number)]
        for graph, nodes in data.items()
        for number, result in nodes["results"].items()
        if result["bgColor"] == color
    }


def test_the_nodes_of_a_saved_model_have_the_color_of_their_verdict() -> None:
    data = written(TOWERS.name)
    flowing, starved = (colored(data, COLORS[state]) for state in (NodeState.FLOWS, NodeState.NONE))
    assert "two_towers_1/query_hidden_1/MatMul" in flowing
    assert "two_towers_1/document_hidden_1/MatMul" in starved
    assert "query_hidden/kernel" in flowing
    assert not flowing & starved
    assert colored(data, "#000000") == {"two_towers_1/StopGradient"}


def test_node_data_has_the_documented_form() -> None:
    for nodes in written(TOWERS.name).values():
        assert set(nodes) == {"results", "name"}
        for number, result in nodes["results"].items():
            assert number.isdecimal()
            assert set(result) == {"value", "bgColor"}
            assert isinstance(result["value"], int | float)


@pytest.mark.parametrize("name", ["two_towers.keras", "finetune.keras"])
def test_another_model_is_a_graph_of_its_layers(name: str) -> None:
    (collection,) = written(name)
    (graph,) = collection["graphs"]
    numbers = [node["id"] for node in graph["nodes"]]
    assert len(set(numbers)) == len(numbers)
    sources = {edge["sourceNodeId"] for node in graph["nodes"] for edge in node["incomingEdges"]}
    assert sources <= set(numbers)
    spaces = {node["label"]: node["namespace"] for node in graph["nodes"]}
    assert spaces.get("stem", "backbone") == "backbone"


SAVED_MODELS = [path.name for path in sorted(SAMPLES.iterdir()) if path.is_dir()]


def shown_by_the_viewer(name: str) -> dict[str, dict[str, str]]:
    """The graphs of a SavedModel as Model Explorer's own adapter reads them: for each node, its
    op. Converted in a process of its own: the adapter brings a TensorFlow of its own."""
    code = (
        "import sys, ai_edge_model_explorer_adapter as adapter\n"
        "config = adapter.VisualizeConfig()\n"
        "print(adapter.ConvertSavedModelDirectlyToJson(config, sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(SAMPLES / name)], capture_output=True, check=True
    )
    (collection,) = json.loads(done.stdout)
    return {
        graph["id"]: {node["id"]: node["label"] for node in graph["nodes"]}
        for graph in collection["subgraphs"]
    }


@pytest.mark.parametrize("name", SAVED_MODELS)
def test_its_own_adapter_has_the_nodes_that_we_color(name: str) -> None:
    pytest.importorskip(
        "ai_edge_model_explorer_adapter",
        reason="ai-edge-model-explorer-adapter is not installed",
    )
    graphs = shown_by_the_viewer(name)
    labels: dict[str, set[str]] = {}
    for graph, nodes in written(name).items():
        for number, result in nodes["results"].items():
            labels.setdefault(result["bgColor"], set()).add(graphs[graph][number])

    cuts = {"argmax_saved_model": {"ArgMax"}, "two_towers_saved_model": {"StopGradient"}}
    assert labels.pop("#000000", set()) == cuts.get(name, set())
    for of_state in labels.values():
        assert {"VarHandleOp", "MatMul", "ReadVariableOp"} & of_state
    assert not {"StopGradient", "ArgMax"} & set().union(*labels.values())


def test_its_own_types_take_the_node_data() -> None:
    builder = pytest.importorskip(
        "model_explorer.node_data_builder", reason="ai-edge-model-explorer is not installed"
    )
    for nodes in written(TOWERS.name).values():
        results = {
            number: builder.NodeDataResult(**result) for number, result in nodes["results"].items()
        }
        data = builder.GraphNodeData(results=results, name=nodes["name"])
        assert json.loads(data.to_json_string())["results"] == nodes["results"]


def test_its_own_types_take_the_graph() -> None:
    builder = pytest.importorskip(
        "model_explorer.graph_builder", reason="ai-edge-model-explorer is not installed"
    )
    (collection,) = written("two_towers.keras")
    (graph,) = collection["graphs"]
    for node in graph["nodes"]:
        edges = [builder.IncomingEdge(**edge) for edge in node["incomingEdges"]]
        attributes = [builder.KeyValue(**pair) for pair in node["attrs"]]
        style = builder.GraphNodeStyle(**node["style"]) if "style" in node else None
        made = builder.GraphNode(
            **{**node, "incomingEdges": edges, "attrs": attributes, "style": style}
        )
        assert made.id == node["id"]
