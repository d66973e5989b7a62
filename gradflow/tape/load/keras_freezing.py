"""A Keras model in memory in, what is doubtful about its freeze flags out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from gradflow.files.freezing import Doubt, FreezeDoubt, frozen_parents
from gradflow.tape.load.keras_layers import chains, layer_path
from gradflow.tape.loaded_model import Watched


def live_doubts(model: Any, watched: Sequence[Watched]) -> tuple[FreezeDoubt, ...]:
    """Layers that train under a frozen one: ``trainable`` was set on them after it was set on the
    outer layer."""
    found = {}
    for name, chain, place in _under_frozen(model, watched):
        found[name] = (_place(chain[: place + 1]), _place(chain[: place + 2]))
    return frozen_parents(found)


def loaded_doubts(
    model: Any, watched: Sequence[Watched], recorded: tuple[FreezeDoubt, ...]
) -> tuple[FreezeDoubt, ...]:
    """What its file says (``recorded``), and the weights of layers of the user's own, whose names
    the file lacks."""
    told = {name for doubt in recorded for name in doubt.variables}
    found = [
        name
        for name, chain, place in _under_frozen(model, watched)
        if not isinstance(chain[place], keras.Model)
    ]
    more = tuple(dict.fromkeys(name for name in found if name not in told))
    if not more:
        return recorded
    known = tuple(
        name for doubt in recorded if doubt.kind is Doubt.FORGOTTEN for name in doubt.variables
    )
    others = (doubt for doubt in recorded if doubt.kind is not Doubt.FORGOTTEN)
    return (FreezeDoubt(Doubt.FORGOTTEN, (*known, *more)), *others)


def reloaded_doubts(model: Any, watched: Sequence[Watched]) -> Iterator[FreezeDoubt]:
    """Weights that were frozen in the SavedModel of a TFSMLayer: it reads their own records only
    (Keras 3.15)."""
    names = _trainable(watched)
    kind = getattr(keras.layers, "TFSMLayer", ())
    for layer in model._flatten_layers():
        loaded: Any = getattr(layer, "_reloaded_obj", None) if isinstance(layer, kind) else None
        listed, trained = (
            getattr(loaded, "variables", ()),
            getattr(loaded, "trainable_variables", None),
        )
        if trained is None:
            continue
        trains = {id(variable) for variable in trained}
        lost = [names[id(one)] for one in listed if id(one) in names and id(one) not in trains]
        if lost:
            yield FreezeDoubt(Doubt.RELOADED, tuple(lost), layer_path(layer))


def _under_frozen(
    model: Any, watched: Sequence[Watched]
) -> Iterator[tuple[str, tuple[Any, ...], int]]:
    """Each trainable weight below a frozen layer: name, layers down to it, place of the innermost
    frozen one."""
    names = _trainable(watched)
    for chain in chains(model):
        above = [place for place, layer in enumerate(chain[:-1]) if not layer.trainable]
        own = [id(variable.value) for variable in chain[-1]._trainable_variables] if above else []
        yield from ((names[one], chain, above[-1]) for one in own if one in names)


def _trainable(watched: Sequence[Watched]) -> dict[int, str]:
    return {id(item.variable): item.stored.name for item in watched if item.stored.trainable}


def _place(chain: Sequence[Any]) -> str:
    return "/".join(layer.name for layer in chain[1:]) or str(chain[0].name)
