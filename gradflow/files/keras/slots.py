"""Tell from the slots of a saved optimizer which weights it has trained, where that is not what the
flags say.

An optimizer keeps slots (moments, velocities) of the shape of each weight that was trainable when
it was built. Keras goes by the flags at ``compile()``: a layer that is frozen later is trained on,
and one that is unfrozen later is not (Keras 3.15, tf_keras 2.21).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from gradflow.errors import UnreadableError
from gradflow.files.freezing import FreezeDoubt, doubts_of_slots
from gradflow.files.hdf5 import contents, list_attribute, member, shape_of
from gradflow.files.keras.opened import hdf5_of, training_json
from gradflow.files.model_file import ModelFile, StoredVariable
from gradflow.findings import Format, Role

_Shape = tuple[int | None, ...]
_PER_WEIGHT = {
    **dict.fromkeys(("adam", "adamw", "nadam", "adamax", "adadelta", "ftrl", "lamb"), 2),
    **dict.fromkeys(("adagrad", "lion", "rmsprop", "sgd"), 1),
}
"""Slots of each weight by the optimizer's name in lower case, without options; one more for each
of those."""
_OPTIONS = ("amsgrad", "centered", "use_ema", "gradient_accumulation_steps")
_STEPS = 10_000
"""After which layers that could be meant are not looked for any more."""
_LEGACY = ("decay", "is_legacy_optimizer")
"""Options of an optimizer of Keras 2 up to 2.10, which gives no slot to a weight without
gradient."""


def slot_doubts(file: ModelFile, variables: Sequence[StoredVariable]) -> tuple[FreezeDoubt, ...]:
    """Find frozen weights with slots and trainable ones without, where the shapes leave no choice.

    Silent where the file has no optimizer, or one whose slots are not known.
    """
    try:
        optimizer, options = _optimizer(training_json(file))
        per_weight = _per_weight(optimizer, options)
        if not per_weight:
            return ()
        shapes = _slots(file)
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
    is_legacy = any(option in options and options[option] is not False for option in _LEGACY)
    missing: Counter[_Shape] = Counter() if is_legacy else flagged - slotted
    left_out = _named(missing, [weight for weight in weights if weight.trainable])
    if late is None or left_out is None:
        return ()
    return doubts_of_slots(late, left_out)


def _named(shapes: Counter[_Shape], weights: Sequence[StoredVariable]) -> tuple[str, ...] | None:
    """The names of the weights that have ``shapes``; None where the shapes leave a choice.

    They are all weights of these shapes, or those of whole layers: a user sets the flag of a layer.
    """
    chosen = [weight for weight in weights if weight.shape in shapes]
    if Counter(weight.shape for weight in chosen) == shapes:
        return tuple(weight.name for weight in chosen)
    tops: dict[str, Counter[_Shape]] = {}
    for weight in chosen:
        tops.setdefault(_top(weight), Counter())[weight.shape] += 1
    cover = _only_cover(shapes, [(top, sizes) for top, sizes in tops.items() if sizes <= shapes])
    if cover is None:
        return None
    return tuple(weight.name for weight in chosen if _top(weight) in cover)


def _top(weight: StoredVariable) -> str:
    return (weight.layer_path or weight.name).partition("/")[0]


def _only_cover(
    shapes: Counter[_Shape], layers: Sequence[tuple[str, Counter[_Shape]]]
) -> frozenset[str] | None:
    """Return the layers whose weights have just ``shapes``; None where there are none, other ones
    too, or too many to look for."""
    cover: frozenset[str] | None = None
    stack: list[tuple[Counter[_Shape], int, frozenset[str]]] = [(shapes, 0, frozenset())]
    for _ in range(_STEPS):
        if not stack:
            return cover
        left, position, taken = stack.pop()
        if not left:
            if cover is not None:
                return None
            cover = taken
        elif position < len(layers):
            top, sizes = layers[position]
            stack.append((left, position + 1, taken))
            if sizes <= left:
                stack.append((left - sizes, position + 1, taken | {top}))
    return None


def _optimizer(training: object) -> tuple[str, Mapping[str, object]]:
    """The optimizer's name in lower case, empty where there is none, and its options."""
    if not isinstance(training, Mapping):
        return "", {}
    optimizer = training.get("optimizer") or training.get("optimizer_config")
    if isinstance(optimizer, str):  # as it was given to compile() (tf_keras 2.21)
        return optimizer.casefold(), {}
    if not isinstance(optimizer, Mapping) or not isinstance(optimizer.get("config"), Mapping):
        return "", {}
    return str(optimizer.get("class_name")).rpartition(">")[2].casefold(), optimizer["config"]


def _per_weight(name: str, options: Mapping[str, object]) -> int:
    """Slots that the optimizer keeps for each weight; 0 where that is not known."""
    slots = _PER_WEIGHT.get(name, 0)
    if not slots:
        return 0
    if name == "sgd" and not options.get("momentum"):
        slots = 0
    elif name == "rmsprop" and options.get("momentum"):
        slots += 1
    return slots + sum(bool(options.get(option)) for option in _OPTIONS)


def _slots(file: ModelFile) -> list[tuple[int, ...]]:
    """The shapes of all that the optimizer keeps."""
    with hdf5_of(file) as hdf5:
        if file.format is Format.KERAS:
            _, datasets = contents(hdf5)
            return [
                shape_of(dataset) for path, dataset in datasets if path[:2] == ("optimizer", "vars")
            ]
        group = member(hdf5, "optimizer_weights")
        if group is None or not hasattr(group, "attrs"):
            return []
        stored = [member(group, name) for name in list_attribute(group, "weight_names")]
        return [shape_of(dataset) for dataset in stored if hasattr(dataset, "dtype")]
