"""The map of models in memory: what runs is drawn, with the norms that were measured."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import gradflow
from gradflow.analysis.in_memory import inspect_object
from gradflow.findings import Confidence, FlowMap, MapNode
from gradflow.options import Options
from tests.diagnose.test_map_properties import refuse_odd_tree

pytestmark = pytest.mark.tensorflow


def drawn(model: object, inputs: object = None) -> FlowMap:
    report = gradflow.inspect(model, map=True, inputs=inputs)
    (found,) = report.models
    assert found.map is not None
    refuse_odd_tree(found.map, found.variables)
    causes = {cause.op for variable in found.variables for cause in variable.causes if cause.op}
    assert {op for edge in found.map.edges for op in edge.cuts} == causes
    assert '"map": {' in report.to_json()
    return found.map


def lines(flow_map: FlowMap) -> set[tuple[str, str, str]]:
    names = {node.id: node.name for node in flow_map.nodes}
    return {
        (names[edge.source], edge.gradient.value, names[edge.target]) for edge in flow_map.edges
    }


def named(flow_map: FlowMap) -> dict[str, MapNode]:
    return {node.name: node for node in reversed(flow_map.nodes)}


def test_a_keras_model_with_a_submodel_a_cell_and_a_cut() -> None:
    import keras

    keras.backend.clear_session()  # which counts the operations of a name
    inner = keras.Input((2, 3))
    features = keras.layers.Dense(3, name="stem")(keras.layers.Dropout(0.1, name="drop")(inner))
    backbone = keras.Model(inner, features, name="backbone")
    sequence = keras.Input((2, 3), name="sequence")
    hidden = keras.layers.SimpleRNN(2, name="memory", unroll=True)(backbone(sequence))
    scores = keras.layers.Dense(2, name="scores")(keras.ops.stop_gradient(hidden))
    flow_map = drawn(keras.Model(sequence, scores))

    nodes = named(flow_map)
    assert nodes["backbone"].class_name == "Functional"
    assert [nodes[name].parent for name in ("stem", "drop")] == [nodes["backbone"].id] * 2
    assert (nodes["memory"].class_name, nodes["memory"].weights) == ("SimpleRNN", 3)
    assert nodes["memory"].state.value == "none"
    assert nodes["memory"].norm is None
    assert nodes["scores"].norm is not None
    assert ("memory", "cut", "stop_gradient") in lines(flow_map)
    assert ("stop_gradient", "flows", "scores") in lines(flow_map)
    assert ("backbone", "sequence") not in {(a, b) for a, _, b in lines(flow_map)}


def test_a_module_whose_weights_stand_in_objects_of_its_own() -> None:
    import tensorflow as tf

    class Tower(tf.Module):
        def __init__(self, name: str) -> None:
            super().__init__(name=name)
            self.kernel = tf.Variable(tf.ones((3, 3)) / 3, name="kernel")

        @tf.Module.with_name_scope
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            return tf.tanh(x @ self.kernel)

    class Towers(tf.Module):
        def __init__(self) -> None:
            super().__init__(name="towers")
            self.left, self.right = Tower("left"), Tower("right")

        @tf.function(input_signature=[tf.TensorSpec((None, 3))])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            return self.left(x) + tf.stop_gradient(self.right(x))

    flow_map = drawn(Towers())
    states = {node.name: node.state.value for node in flow_map.nodes if node.weights}
    assert states == {"left": "flows", "right": "none"}
    assert ("right", "cut", "StopGradient") in lines(flow_map)
    norms = [node.norm for node in flow_map.nodes if node.norm is not None]
    assert all(math.isfinite(norm) and norm > 0 for norm in norms)


def test_code_that_cannot_be_traced_has_layers_and_no_edges() -> None:
    import keras
    import numpy as np

    class Eager(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2, name="dense")

        def call(self, x):
            hidden = self.dense(x)
            return hidden + hidden.numpy()

    model = Eager()
    model(np.ones((2, 3), "float32"))
    flow_map = drawn(model, inputs=np.ones((2, 3), "float32"))
    assert [node.class_name for node in flow_map.nodes] == ["Dense"]
    assert flow_map.edges == ()


def healthy() -> object:
    import keras

    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")])


def with_code_of_its_own() -> object:
    import keras

    class Own(keras.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1],), initializer="ones", name="w")

        def call(self, x):
            return x * self.w

    return keras.Sequential([keras.Input((3,)), Own(name="own"), keras.layers.Dense(2)])


def cut() -> object:
    import keras

    x = keras.Input((3,))
    hidden = keras.ops.stop_gradient(keras.layers.Dense(3, name="behind")(x))
    return keras.Model(x, keras.layers.Dense(2, name="head")(hidden))


@pytest.mark.parametrize("build", [healthy, with_code_of_its_own, cut])
def test_nothing_else_of_a_report_depends_on_whether_a_map_is_asked_for(build: object) -> None:
    model = build()  # type: ignore[operator]
    plain, mapped = (inspect_object(model, Options(map=map))[1].report for map in (False, True))

    assert mapped.map is not None
    assert mapped.map.edges
    assert plain == replace(mapped, map=None)


def test_a_map_confirms_no_verdict() -> None:
    """The graph of a model whose weights all flow is traced for the map alone."""
    report = inspect_object(healthy(), Options(map=True))[1].report
    assert {item.confidence for item in report.variables} == {Confidence.MEASURED}
