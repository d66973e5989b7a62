"""Tell from the slots of a saved optimizer which weights it has trained, where that is not what the
flags say.

An optimizer keeps slots (moments, velocities) of the shape of each weight that was trainable when
it was built. Keras goes by the flags at ``compile()``: a layer that is frozen later is trained on,
and one that is unfrozen later is not (Keras 3.15, tf_keras 2.21).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from gradflow.errors import UnreadableError
from gradflow.files.freezing import Doubt, FreezeDoubt
from gradflow.files.hdf5 import contents, list_attribute, member, shape_of
from gradflow.files.keras.opened import hdf5_of, training_json
from gradflow.files.model_file import ModelFile, StoredVariable
from gradflow.findings import Format, Role

_Shape = tuple[int | None, ...]
_PER_WEIGHT = {
    **dict.fromkeys(("Adam", "AdamW", "Nadam", "Adamax", "Adadelta", "Ftrl", "Lamb"), 2),
    **dict.fromkeys(("Adagrad", "Lion", "RMSprop", "SGD"), 1),
}
"""Slots of each weight, without options; one more for each of those."""
_OPTIONS = ("amsgrad", "centered", "use_ema", "gradient_accumulation_steps")
_LEGACY = "/m:0"
"""Ends the name of a slot of Keras 2 up to 2.10, which gives none to a weight without gradient."""


def slot_doubts(file: ModelFile, variables: Sequence[StoredVariable]) -> tuple[FreezeDoubt, ...]:
    """Find frozen weights with slots and trainable ones without, where the shapes leave no choice.

    Silent where the file has no optimizer, or one whose slots are not known.
    """
    try:
        per_weight = _per_weight(training_json(file))
        if not per_weight:
            return ()
        shapes, is_legacy = _slots(file)
    except UnreadableError:
        return ()
    counts: Counter[_Shape] = Counter(shape for shape in shapes if shape)
    weights = [variable for variable in variables if variable.role is Role.WEIGHT]
    is_open = any(variable.has_open_flag for variable in weights)
    if not counts or is_open or any(count % per_weight for count in counts.values()):
        return ()
    slotted = Counter({shape: count // per_weight for shape, count in counts.items()})
    flagged = Counter(weight.shape for weight in weights if weight.trainable and weight.shape)
    late = _named(slotted - flagged, [weight for weight in weights if not weight.trainable])
    missing: Counter[_Shape] = Counter() if is_legacy else flagged - slotted
    left_out = _named(missing, [weight for weight in weights if weight.trainable])
    if late is None or left_out is None:
        return ()
    found = ((Doubt.FROZEN_LATE, late), (Doubt.UNFROZEN_LATE, left_out))
    return tuple(FreezeDoubt(kind, names) for kind, names in found if names)


def _named(shapes: Counter[_Shape], weights: Sequence[StoredVariable]) -> tuple[str, ...] | None:
    """The names of the weights that have ``shapes``; None where more or fewer weights have."""
    for group in _groups(weights):
        chosen = [weight for weight in group if weight.shape in shapes]
        if Counter(weight.shape for weight in chosen) == shapes:
            return tuple(weight.name for weight in chosen)
    return None


def _groups(weights: Sequence[StoredVariable]) -> Iterator[Collection[StoredVariable]]:
    """All weights, and those of each layer: a user sets the flag of a whole layer."""
    yield weights
    tops: dict[str, list[StoredVariable]] = {}
    for weight in weights:
        tops.setdefault((weight.layer_path or weight.name).partition("/")[0], []).append(weight)
    yield from tops.values()


def _per_weight(training: object) -> int:
    """Slots that the optimizer keeps for each weight; 0 where that is not known."""
    if not isinstance(training, Mapping):
        return 0
    optimizer = training.get("optimizer") or training.get("optimizer_config")
    if not isinstance(optimizer, Mapping) or not isinstance(optimizer.get("config"), Mapping):
        return 0
    name, options = str(optimizer.get("class_name")).rpartition(">")[2], optimizer["config"]
    slots = _PER_WEIGHT.get(name, 0)
    if not slots:
        return 0
    if name == "SGD" and not options.get("momentum"):
        slots = 0
    elif name == "RMSprop" and options.get("momentum"):
        slots += 1
    return slots + sum(bool(options.get(option)) for option in _OPTIONS)


def _slots(file: ModelFile) -> tuple[list[tuple[int, ...]], bool]:
    """The shapes of all that the optimizer keeps, and whether it gives slots by gradients."""
    with hdf5_of(file) as hdf5:
        if file.format is Format.KERAS:
            _, datasets = contents(hdf5)
            return [
                shape_of(dataset) for path, dataset in datasets if path[:2] == ("optimizer", "vars")
            ], False
        group = member(hdf5, "optimizer_weights")
        if group is None or not hasattr(group, "attrs"):
            return [], False
        names = list_attribute(group, "weight_names")
        stored = [member(group, name) for name in names]
        shapes = [shape_of(dataset) for dataset in stored if hasattr(dataset, "dtype")]
        return shapes, any(name.endswith(_LEGACY) for name in names)
