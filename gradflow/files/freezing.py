"""Name what makes the freeze flags of a model doubtful."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from gradflow.lazy_dataclass import dataclass


class Doubt(Enum):
    """One way in which a file loses a freeze flag or contradicts itself."""

    NOT_RECORDED = "not recorded"
    """Nothing in the file says what was frozen."""
    RECORD_DIFFERS = "record differs"
    """Frozen by the file's lists, trainable by the variable's own record, and no layer is there to
    know better."""
    LAYER_KNOWS = "layer knows"
    """As ``RECORD_DIFFERS``, but the layers in the file have their flags: Keras 2 restores them,
    others do not."""
    LAYER_FROZEN = "layer frozen"
    """The file's list calls the weight trainable, every way to it leads through a layer recorded as
    frozen."""
    LAYER_TRAINABLE = "layer trainable"
    """The file's list leaves the weight out, no layer above it is recorded as frozen."""
    FORGOTTEN = "forgotten"
    """The layer is recorded as frozen, and Keras brings the weight back trainable."""
    KERAS_3_TRAINS = "keras 3 trains"
    """Under a frozen layer in a file of Keras 2, which freezes all inside; Keras 3 brings it
    back trainable."""
    FROZEN_OR_STATE = "frozen or state"
    """The weight's own record calls it non-trainable, as it calls state."""
    FOREIGN_CLASS = "foreign class"
    """The weight belongs to a class that is not Keras's own, which was not loaded."""
    FROZEN_LATE = "frozen late"
    """Frozen by its layer, and the saved optimizer has slots for it."""
    UNFROZEN_LATE = "unfrozen late"
    """Trainable by its layer, and the saved optimizer has slots for other weights only."""
    RELOADED = "reloaded"
    """Frozen by the lists of the SavedModel that a TFSMLayer in the model has loaded, trainable in
    the model."""
    STILL_TRAINED = "still trained"
    """Frozen by its layer, and a function that was traced before trains it all the same."""
    FROZEN_PARENT = "frozen parent"
    """The layer trains although a layer around it has ``trainable=False``."""


LATE = frozenset({Doubt.FROZEN_LATE, Doubt.UNFROZEN_LATE})
"""What is doubtful about the training of the past: no flag that is expected now settles it."""


@dataclass(frozen=True, slots=True)
class FreezeDoubt:
    """One doubt and the weights that it is about."""

    kind: Doubt
    variables: tuple[str, ...]
    """Names of the weights; empty where it is about the file as a whole."""
    layer: str | None = None
    """The layer whose flag is in question: of ``FROZEN_PARENT`` the frozen one."""
    inside: tuple[str, ...] = ()
    """Of ``FROZEN_PARENT``: the layers directly inside the frozen one that train."""


def doubts_of_slots(frozen: Iterable[str], trainable: Iterable[str]) -> tuple[FreezeDoubt, ...]:
    """Return the doubts that the slots of a saved optimizer raise.

    Args:
        frozen: the weights that are frozen by their layers, and have slots.
        trainable: those that are trainable, and have none.
    """
    kinds = ((Doubt.FROZEN_LATE, tuple(frozen)), (Doubt.UNFROZEN_LATE, tuple(trainable)))
    return tuple(FreezeDoubt(kind, names) for kind, names in kinds if names)


def frozen_parents(frozen_layers: dict[str, tuple[str, str]]) -> tuple[FreezeDoubt, ...]:
    """Group by the frozen layer: ``found`` holds, by variable, the frozen layer and the one inside
    it that trains."""
    return tuple(
        FreezeDoubt(
            Doubt.FROZEN_PARENT,
            tuple(name for name, (above, _) in frozen_layers.items() if above == parent),
            parent,
            tuple(
                dict.fromkeys(inner for above, inner in frozen_layers.values() if above == parent)
            ),
        )
        for parent in dict.fromkeys(above for above, _ in frozen_layers.values())
    )
