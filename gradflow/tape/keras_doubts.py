"""A Keras model in memory in, what is doubtful about its freeze flags out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from gradflow.files.doubts import Doubt, FreezeDoubt, frozen_parents
from gradflow.tape.keras_layers import chains, layer_path
from gradflow.tape.subject import Watched


def live_doubts(model: Any, watched: Sequence[Watched]) -> tuple[FreezeDoubt, ...]:
    """Layers that train under a frozen one: ``trainable`` was set on them after it was set on the outer layer."""
    names = _trainable(watched)
    found: dict[str, tuple[str, str]] = {}
    for chain in chains(model):
        above = [place for place, layer in enumerate(chain[:-1]) if not layer.trainable]
        if above:
            pair = (_place(chain[: above[-1] + 1]), _place(chain[: above[-1] + 2]))
            own = [id(variable.value) for variable in chain[-1]._trainable_variables]
            found.update({names[one]: pair for one in own if one in names})
    return frozen_parents(found)


def reloaded_doubts(model: Any, watched: Sequence[Watched]) -> Iterator[FreezeDoubt]:
    """Weights that were frozen in the SavedModel of a TFSMLayer: it reads their own records only (Keras 3.15)."""
    names = _trainable(watched)
    kind = getattr(keras.layers, "TFSMLayer", ())
    for layer in model._flatten_layers():
        loaded: Any = getattr(layer, "_reloaded_obj", None) if isinstance(layer, kind) else None
        listed, trained = getattr(loaded, "variables", ()), getattr(loaded, "trainable_variables", None)
        if trained is None:
            continue
        trains = {id(variable) for variable in trained}
        lost = [names[id(one)] for one in listed if id(one) in names and id(one) not in trains]
        if lost:
            yield FreezeDoubt(Doubt.RELOADED, tuple(lost), layer_path(layer))


def _trainable(watched: Sequence[Watched]) -> dict[int, str]:
    return {id(item.variable): item.stored.name for item in watched if item.stored.trainable}


def _place(chain: Sequence[Any]) -> str:
    return "/".join(layer.name for layer in chain[1:]) or str(chain[0].name)
