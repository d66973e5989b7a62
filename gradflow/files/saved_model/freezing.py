"""Find what the freeze flags of a SavedModel leave in doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gradflow.files.freezing import Doubt, FreezeDoubt
from gradflow.files.model_file import StoredVariable
from gradflow.files.saved_model.freeze_flags import (
    OPTIMIZERS,
    Properties,
    has_keras_3_layers,
    tracked_lists,
)
from gradflow.findings import Role

_KERAS_2_LISTS = frozenset(
    {
        "variables",
        "trainable_variables",
        "non_trainable_variables",
        "regularization_losses",
        "keras_api",
    }
)


def saved_doubts(
    objects: Any, variables: Mapping[int, StoredVariable], properties: Mapping[int, Properties]
) -> tuple[FreezeDoubt, ...]:
    """Compare the root's lists, the layers' properties and the variables' own records.

    Args:
        objects: the file's object graph.
        variables: the variables of the model, by object number.
        properties: what Keras 2 recorded of its layers, by object number.
    """
    weights = {
        number: variable
        for number, variable in variables.items()
        if variable.role is Role.WEIGHT and not variable.untracked
    }
    if not weights:
        return ()
    tracked = tracked_lists(objects)
    by_record = tuple(
        variable.name
        for number, variable in weights.items()
        if not objects.nodes[number].variable.trainable
    )
    told = (FreezeDoubt(Doubt.FROZEN_OR_STATE, by_record),) if by_record else ()
    if tracked is None and not properties and has_keras_3_layers(objects):
        return (FreezeDoubt(Doubt.NOT_RECORDED, ()), *told)
    doubtful = (
        dict(_against_layers(objects, weights, tracked, properties))
        if tracked and properties
        else {}
    )
    explained = {number for numbers in doubtful.values() for number in numbers}
    frozen = [
        number
        for number, variable in weights.items()
        if not variable.trainable
        and number not in explained
        and objects.nodes[number].variable.trainable
    ]
    doubtful[Doubt.LAYER_KNOWS if properties else Doubt.RECORD_DIFFERS] = frozen
    return (
        *told,
        *(
            FreezeDoubt(kind, tuple(weights[number].name for number in numbers))
            for kind, numbers in doubtful.items()
            if numbers
        ),
    )


def _against_layers(
    objects: Any,
    weights: Mapping[int, StoredVariable],
    tracked: Mapping[int, bool],
    properties: Mapping[int, Properties],
) -> Iterator[tuple[Doubt, list[int]]]:
    """Weights whose place in the root's lists is not what the layers' own flags make of it."""
    trains = _in_training_layers(objects, properties)
    held_by_layers = {
        child.node_id for number in properties for child in objects.nodes[number].children
    }
    listed = [number for number in weights if number in tracked and number in held_by_layers]
    yield (
        Doubt.LAYER_FROZEN,
        [number for number in listed if tracked[number] and number not in trains],
    )
    yield (
        Doubt.LAYER_TRAINABLE,
        [number for number in listed if not tracked[number] and number in trains],
    )


def _in_training_layers(objects: Any, properties: Mapping[int, Properties]) -> set[int]:
    """Return what the root holds by some way through no frozen layer: in Keras 2 a frozen layer
    freezes all inside."""
    reached: set[int] = set()
    queue = [0]
    while queue:
        number = queue.pop()
        if number in reached or not 0 <= number < len(objects.nodes):
            continue
        node = objects.nodes[number]
        if (
            properties.get(number, {}).get("trainable") is False
            or node.user_object.identifier in OPTIMIZERS
        ):
            continue
        reached.add(number)
        queue += [
            child.node_id for child in node.children if child.local_name not in _KERAS_2_LISTS
        ]
    return reached
