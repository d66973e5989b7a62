"""Tell from the optimizer in a SavedModel of Keras 2 which weights it has trained, where that is
not what the flags say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradflow.files.freezing import FreezeDoubt, doubts_of_slots
from gradflow.files.model_file import StoredVariable
from gradflow.files.saved_model.freeze_flags import OPTIMIZERS
from gradflow.findings import Role

_PREFIXES = (1, 2)
"""Segments before the weight's name in that of its slot."""


def late_doubts(objects: Any, variables: Mapping[int, StoredVariable]) -> tuple[FreezeDoubt, ...]:
    """Find frozen weights with slots and trainable ones without, as ``slot_doubts`` of
    ``files.keras`` does.

    Here each slot names its weight: the optimizers of Keras 2 up to 2.10 by the object, and these
    give no slot to a weight without gradient; later ones by the name (tf_keras 2.21).
    """
    weights = {
        number: variable
        for number, variable in variables.items()
        if variable.role is Role.WEIGHT and not variable.untracked
    }
    held = {child.local_name: child.node_id for child in objects.nodes[0].children}
    optimizer = objects.nodes[held["optimizer"]] if "optimizer" in held else None
    if optimizer is None or optimizer.user_object.identifier not in OPTIMIZERS:
        return ()
    by_object = {slot.original_variable_node_id for slot in optimizer.slot_variables}
    slotted = by_object or _by_name(objects, optimizer, weights)
    if not slotted & set(weights):
        return ()
    return doubts_of_slots(
        (weight.name for n, weight in weights.items() if n in slotted and not weight.trainable),
        (
            weight.name
            for n, weight in weights.items()
            if n not in slotted and weight.trainable and not by_object
        ),
    )


def _by_name(objects: Any, optimizer: Any, weights: Mapping[int, StoredVariable]) -> frozenset[int]:
    """The weights whose slots an optimizer of Keras 2.11 or later holds; none where two weights
    have one name, or a slot is of something else."""
    kept = [child.node_id for child in optimizer.children if child.local_name == "_variables"]
    own = {objects.nodes[number].variable.name: number for number in weights}
    slotted = {
        _owner(objects.nodes[slot.node_id].variable.name, own)
        for number in kept
        for slot in objects.nodes[number].children
        if "/" in objects.nodes[slot.node_id].variable.name
    }
    if len(own) < len(weights) or None in slotted:
        return frozenset()
    return frozenset(number for number in slotted if number is not None)


def _owner(slot: str, own: Mapping[str, int]) -> int | None:
    """The weight that a slot belongs to: ``Adam/m/d1/kernel`` to ``d1/kernel``, and
    ``m/d1/kernel`` where the optimizer was built by itself."""
    segments = slot.split("/")
    names = ("/".join(segments[count:]) for count in _PREFIXES)
    return next((own[name] for name in names if name in own), None)
