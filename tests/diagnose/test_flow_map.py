"""The map of gradient flow, of files that are only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradflow.analysis.static import read
from gradflow.findings import FlowMap, ModelReport, NodeKind
from gradflow.findings.wire import decode, encode
from gradflow.options import Options
from tests.diagnose.test_map_properties import refuse_odd_tree

SAMPLES = Path("sample_models")


def drawn(name: str) -> FlowMap:
    flow_map = read(str(SAMPLES / name), Options(map=True)).report.map
    assert flow_map is not None
    return flow_map


def edges(flow_map: FlowMap) -> list[str]:
    names = {node.id: node.name for node in flow_map.nodes}
    return [
        f"{names[edge.source]} {edge.gradient.value} {names[edge.target]}"
        for edge in flow_map.edges
    ]


def test_the_towers_of_a_saved_model_and_the_cut_behind_one() -> None:
    flow_map = drawn("two_towers_saved_model")
    states = {node.name: node.state.value for node in flow_map.nodes if node.weights}
    assert states == {
        "query_hidden": "flows",
        "query_embedding": "flows",
        "document_hidden": "none",
        "document_embedding": "none",
    }
    cut = [edge for edge in flow_map.edges if edge.cuts]
    assert [edge.gradient.value for edge in cut] == ["cut"]
    assert "document none document_hidden" in edges(flow_map)
    assert "query_hidden flows query_embedding" in edges(flow_map)


def test_a_frozen_submodel_holds_its_layers() -> None:
    nodes = {node.name: node for node in drawn("finetune_saved_model").nodes}
    backbone = nodes["backbone"]
    inside = [node for node in nodes.values() if node.parent == backbone.id]
    assert [node.name for node in inside] == ["stem", "norm", "block"]
    assert backbone.state.value == "frozen"
    assert backbone.parameters == sum(node.parameters for node in inside)


def test_a_keras_file_tells_the_classes_of_its_layers_and_submodels() -> None:
    nodes = {node.name: node for node in drawn("finetune.keras").nodes}
    assert nodes["backbone"].class_name == "Functional"
    assert nodes["norm"].class_name == "BatchNormalization"
    assert nodes["norm"].parent == nodes["backbone"].id
    towers = {node.name: node for node in drawn("two_towers.keras").nodes}
    assert towers["stop_gradient"].kind is NodeKind.OPERATION
    assert towers["stop_gradient"].class_name == "StopGradient"


def test_a_layer_without_weights_that_cuts_inside_is_the_cut() -> None:
    names = {node.id: node.name for node in drawn("argmax.keras").nodes}
    cut = [edge for edge in drawn("argmax.keras").edges if edge.cuts]
    assert [(names[edge.source], names[edge.target]) for edge in cut] == [("router", "argmax")]


@pytest.mark.parametrize("name", ["two_towers_saved_model", "healthy.keras"])
def test_it_is_drawn_only_where_it_is_asked_for_and_read_back_as_it_was_written(name: str) -> None:
    report = read(str(SAMPLES / name), Options(map=True)).report
    assert read(str(SAMPLES / name), Options()).report.map is None
    assert decode(ModelReport, encode(report)) == report
    written = encode(report, public=True)["map"]
    assert set(written) == {"nodes", "edges"}
    node_keys = "id name parent kind class state weights parameters norm".split()
    assert all(list(node) == node_keys for node in written["nodes"])
    assert all(list(edge) == ["from", "to", "gradient", "cuts"] for edge in written["edges"])


FILES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix in (".keras", ".h5", ""))


@pytest.mark.parametrize("name", FILES)
def test_of_each_sample_it_says_what_verdicts_and_causes_say(name: str) -> None:
    report = read(str(SAMPLES / name), Options(map=True)).report
    assert report.map is not None
    refuse_odd_tree(report.map, report.variables)
    causes = {cause.op for variable in report.variables for cause in variable.causes if cause.op}
    assert {op for edge in report.map.edges for op in edge.cuts} == causes


def test_the_entries_of_a_model_are_one_map() -> None:
    path = str(SAMPLES / "argmax_saved_model")
    report = read(path, Options(map=True, entry="all")).report
    assert report.entry is not None
    assert report.entry.startswith("all: ")
    assert report.map is not None
    refuse_odd_tree(report.map, report.variables)
    assert edges(report.map) == edges(drawn("argmax_saved_model"))
