"""What lists, layers and records of a SavedModel say about freezing, in every combination, without
TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gradflow.files.freezing import Doubt
from gradflow.files.saved_model.freezing import saved_doubts
from gradflow.files.saved_model.schema import message
from gradflow.files.saved_model.variables import object_variables
from gradflow.findings import Role

FLOAT, INT64 = 1, 9


class Objects:
    """An object graph with a root, built by hand."""

    def __init__(self) -> None:
        self.graph = message("SavedObjectGraph")()
        self.properties: dict[int, Mapping[str, Any]] = {}
        self.add()

    def add(
        self, children: Mapping[str, int] | None = None, within: int | None = None, name: str = ""
    ) -> int:
        """Add an object that is no variable, as attribute ``name`` of ``within``."""
        number = len(self.graph.nodes)
        node = self.graph.nodes.add()
        node.user_object.identifier = "_generic_user_object"
        for attribute, child in (children or {}).items():
            node.children.add(node_id=child, local_name=attribute)
        if within is not None:
            self.graph.nodes[within].children.add(node_id=number, local_name=name)
        return number

    def variable(
        self, name: str, within: int | None, trainable: bool = True, dtype: int = FLOAT
    ) -> int:
        number = len(self.graph.nodes)
        node = self.graph.nodes.add()
        node.variable.name, node.variable.trainable, node.variable.dtype = name, trainable, dtype
        if within is not None:
            self.graph.nodes[within].children.add(node_id=number, local_name=name)
        return number

    def layer(self, name: str, trainable: bool, within: int = 0) -> int:
        """Add a layer of Keras 2, whose flag the file records."""
        number = self.add(within=within, name=name)
        self.properties[number] = {"name": name, "trainable": trainable}
        return number

    def lists(self, variables: Sequence[int], trainable: Sequence[int]) -> None:
        for name, numbers in (("variables", variables), ("trainable_variables", trainable)):
            self.add(
                {str(place): number for place, number in enumerate(numbers)}, within=0, name=name
            )

    def captured(self, *numbers: int) -> None:
        self.graph.concrete_functions["call"].bound_inputs.extend(numbers)

    def doubts(self) -> dict[Doubt, tuple[str, ...]]:
        found = object_variables(self.graph, self.properties)
        return {
            doubt.kind: doubt.variables
            for doubt in saved_doubts(self.graph, found, self.properties)
        }


def test_weights_that_were_frozen_before_they_were_built_are_frozen() -> None:
    objects = Objects()
    layer = objects.add(within=0, name="_misc")
    names = ("backbone/kernel", "bn/moving_mean", "ema/average", "head/kernel")
    numbers = [objects.variable(name, layer, name == "head/kernel") for name in names]
    objects.lists(numbers, numbers[-1:])
    found = object_variables(objects.graph, objects.properties)
    assert [found[number].role for number in numbers] == [
        Role.WEIGHT,
        Role.STATE,
        Role.STATE,
        Role.WEIGHT,
    ]
    assert not found[numbers[0]].trainable
    assert objects.doubts() == {Doubt.FROZEN_OR_STATE: ("backbone/kernel",)}


def test_a_parameter_that_is_not_trained_is_frozen() -> None:
    objects = Objects()
    held = objects.add(within=objects.add(within=0, name="kernel"), name="lengthscales")
    fixed = objects.variable("fixed", None, trainable=False)
    objects.graph.nodes[held].children.add(node_id=fixed, local_name="_pretransformed_input")
    other = objects.variable("average", 0, trainable=False)
    objects.variable("w", 0)
    found = object_variables(objects.graph, objects.properties)
    assert (found[fixed].role, found[fixed].trainable) == (Role.WEIGHT, False)
    assert found[other].role is Role.STATE


@pytest.mark.parametrize(("shape", "role"), [([3, 2], Role.WEIGHT), ([1, 3], Role.STATE)])
def test_where_nothing_is_trainable_matrices_tell_of_frozen_weights(
    shape: list[int], role: Role
) -> None:
    objects = Objects()
    number = objects.variable("Variable", 0, trainable=False)
    for size in shape:
        objects.graph.nodes[number].variable.shape.dim.add(size=size)
    bias = objects.variable("Variable_1", 0, trainable=False)
    found = object_variables(objects.graph, objects.properties)
    assert [found[one].role for one in (number, bias)] == [role, role]


def test_an_integer_that_is_declared_trainable_is_told() -> None:
    objects = Objects()
    scale, count = objects.variable("scale", 0, True, INT64), objects.variable("n", 0, False, INT64)
    found = object_variables(objects.graph, objects.properties)
    assert [found[one].declared_trainable for one in (scale, count)] == [True, False]
    assert {found[one].role for one in (scale, count)} == {Role.STATE}


def test_the_states_of_a_stateful_recurrent_layer_of_keras_2_are_state() -> None:
    objects = Objects()
    layer = objects.add(within=0, name="layer-1")
    objects.graph.nodes[layer].user_object.identifier = "_tf_keras_rnn_layer"
    own = objects.add(within=layer, name="keras_api")
    kernel = objects.variable("gru/gru_cell/kernel", layer)
    state = objects.variable("gru/Variable", objects.add(within=own, name="states"))
    objects.lists([kernel], [kernel])
    objects.captured(kernel, state)
    found = object_variables(objects.graph, objects.properties)
    assert [(found[number].role, found[number].untracked) for number in (kernel, state)] == [
        (Role.WEIGHT, False),
        (Role.STATE, False),
    ]


@pytest.mark.parametrize(
    ("layer", "listed", "doubts"),
    [
        (True, True, {}),
        (False, False, {Doubt.LAYER_KNOWS: ("w",)}),
        (False, True, {Doubt.LAYER_FROZEN: ("w",)}),
        (True, False, {Doubt.LAYER_TRAINABLE: ("w",)}),
        (None, True, {}),
        (None, False, {Doubt.RECORD_DIFFERS: ("w",)}),
    ],
)
def test_lists_against_layers(
    layer: bool | None, listed: bool, doubts: dict[Doubt, tuple[str, ...]]
) -> None:
    objects = Objects()
    owner = objects.add(within=0, name="a") if layer is None else objects.layer("a", layer)
    weight = objects.variable("w", owner)
    state = objects.variable("moving_mean", owner, trainable=False)
    count = objects.variable("count", owner, dtype=INT64)
    objects.lists([weight, state, count], [weight] if listed else [])
    assert objects.doubts() == doubts


def test_a_layer_that_trains_by_another_way_is_no_contradiction() -> None:
    objects = Objects()
    frozen = objects.layer("base", trainable=False)
    shared = objects.layer("shared", trainable=True, within=frozen)
    weight = objects.variable("w", shared)
    objects.graph.nodes[0].children.add(node_id=shared, local_name="shared")
    objects.lists([weight], [weight])
    assert objects.doubts() == {}


def test_in_keras_2_a_frozen_layer_freezes_what_is_inside_whatever_that_says() -> None:
    objects = Objects()
    inner = objects.layer("a", trainable=True, within=objects.layer("base", trainable=False))
    objects.lists([objects.variable("w", inner)], [])
    assert objects.doubts() == {Doubt.LAYER_KNOWS: ("w",)}


@pytest.mark.parametrize("has_weights", [True, False])
def test_keras_3_layers_without_lists(has_weights: bool) -> None:
    objects = Objects()
    layer = objects.add(within=0, name="layer")
    for name in ("_inbound_nodes", "_outbound_nodes", "_losses"):
        objects.add(within=layer, name=name)
    objects.variable("w", layer, trainable=has_weights)
    assert objects.doubts() == ({Doubt.NOT_RECORDED: ()} if has_weights else {})


def test_a_module_without_layers_and_lists_has_nothing_to_record() -> None:
    objects = Objects()
    objects.variable("w", 0)
    assert objects.doubts() == {}


@pytest.mark.parametrize("others", [0, 2])
def test_a_captured_variable_that_no_list_names_is_untracked(others: int) -> None:
    objects = Objects()
    listed = [objects.variable(f"w{place}", 0) for place in range(others)]
    raw, average = objects.variable("raw", None), objects.variable("average", None, trainable=False)
    objects.lists(listed, listed)
    objects.captured(*listed, raw, average)
    found = object_variables(objects.graph, {})
    assert [one.name for one in found.values() if one.untracked] == ["raw"]
    assert found[raw].role is Role.WEIGHT
    assert not found[raw].trainable
    assert found[average].role is Role.STATE
    assert objects.doubts() == {}
