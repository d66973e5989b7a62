"""Find what the freeze flags of a Keras file leave in doubt."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.files.freezing import Doubt, FreezeDoubt, frozen_parents
from gradflow.files.keras.variables import Owned
from gradflow.files.model_file import StoredVariable


def keras2_doubts(
    in_keras2: Sequence[StoredVariable], in_keras3: Sequence[StoredVariable]
) -> tuple[tuple[FreezeDoubt, ...], tuple[FreezeDoubt, ...]]:
    """Compare what Keras 2 and Keras 3 make of the flags in a file of Keras 2.

    Return what is doubtful for who reads the file, and for whom Keras 3 loads it.
    """
    lost = tuple(
        variable.name
        for recorded, variable in zip(in_keras2, in_keras3, strict=True)
        if variable.trainable and not recorded.trainable
    )
    if not lost:
        return (), ()
    return (FreezeDoubt(Doubt.KERAS_3_TRAINS, lost),), (FreezeDoubt(Doubt.FORGOTTEN, lost),)


def keras_doubts(
    owned: Sequence[Owned], described: Sequence[StoredVariable]
) -> tuple[FreezeDoubt, ...]:
    """Find weights that Keras brings back trainable although a layer around them is recorded as
    frozen.

    Keras 3.15 makes the inner layers of MultiHeadAttention and of the user's own classes anew,
    without the flag, and a Sequential forgets its own. It restores flags layer by layer, so that a
    layer can train under a frozen one: that is the user's will in a model of Keras 3 or tf.keras,
    whose setter of ``trainable`` reaches all layers inside; that of Keras 1 did not.
    """
    forgotten = []
    parents: dict[str, tuple[str, str]] = {}
    for stored, variable in zip(owned, described, strict=True):
        if not variable.trainable:
            continue
        layer = stored.described
        lineage = layer.lineage()
        if not lineage[0].trainable or (layer is not stored.owner and not layer.trainable):
            forgotten.append(variable.name)
            continue
        above = [index for index, outer in enumerate(lineage[:-1]) if not outer.trainable]
        if above:
            parents[variable.name] = (
                lineage[above[-1]].nested_name,
                lineage[above[-1] + 1].nested_name,
            )
    lost = (FreezeDoubt(Doubt.FORGOTTEN, tuple(forgotten)),) if forgotten else ()
    return (*lost, *frozen_parents(parents))
