"""Walk the layers of a Keras model, and find what is doubtful about their freeze flags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras

from gradflow.files.freezing import Doubt, FreezeDoubt, frozen_parents
from gradflow.tape.loaded_model import Watched

KerasVariable = next(
    kind for kind in reversed(keras.Variable.__mro__) if kind.__module__.startswith("keras.")
)
"""The class of all variables of Keras 3; in Keras 3.3, ``keras.Variable`` is a subclass of it that
no layer makes variables of."""
_WEIGHTLESS = tuple(
    f"{library}.src.layers.{family}."
    for library in ("keras", "tf_keras")
    for family in ("preprocessing", "reshaping", "pooling", "merging", "regularization")
)
"""Modules of Keras whose layers never have a weight (checked on Keras 3.3 and 3.15, tf_keras
2.21)."""


def is_of_keras(item: Any) -> bool:
    """Return whether Keras 3 or tf_keras defines a class, a function, or the class of an object."""
    return str(getattr(item, "__module__", "")).partition(".")[0] in ("keras", "tf_keras")


def inner_layers(layer: Any) -> Iterable[Any]:
    """Return the layers right inside a layer of Keras 3."""
    return (inner for inner in layer._layers if isinstance(inner, keras.layers.Layer))


def chains(
    model: Any, inside: Callable[[Any], Iterable[Any]] = inner_layers
) -> Iterator[tuple[Any, ...]]:
    """Yield every layer with the layers around it, outermost first; a shared layer comes once for
    each way to it.

    ``inside`` lists the layers right inside a layer; by default, in Keras 3.
    """
    stack: list[tuple[Any, ...]] = [(model,)]
    while stack:
        chain = stack.pop()
        yield chain
        inner = [layer for layer in inside(chain[-1]) if layer not in chain]
        stack.extend((*chain, layer) for layer in reversed(inner))


def never_has_weights(
    model: Any, sequential: type, inside: Callable[[Any], Iterable[Any]] = inner_layers
) -> bool:
    """Return whether a model of the class ``sequential`` holds layers of Keras only that never have
    a weight, built or not: it prepares data."""
    layers = [chain[-1] for chain in chains(model, inside)]
    parts = [layer for layer in layers if type(layer) is not sequential]
    return bool(parts) and all(type(part).__module__.startswith(_WEIGHTLESS) for part in parts)


def layer_path(layer: Any) -> str:
    """Return the layer's ``path``; its name in versions of Keras 3 that know no paths."""
    return str(getattr(layer, "path", None) or layer.name)


def live_doubts(model: Any, watched: Sequence[Watched]) -> tuple[FreezeDoubt, ...]:
    """Layers that train under a frozen one: ``trainable`` was set on them after it was set on the
    outer layer."""
    parents = {}
    for name, chain, depth in _under_frozen(model, watched):
        parents[name] = (_names(chain[: depth + 1]), _names(chain[: depth + 2]))
    return frozen_parents(parents)


def loaded_doubts(
    model: Any, watched: Sequence[Watched], recorded: tuple[FreezeDoubt, ...]
) -> tuple[FreezeDoubt, ...]:
    """Return what its file says (``recorded``), and the weights of layers of the user's own, whose
    names the file lacks."""
    doubted = {name for doubt in recorded for name in doubt.variables}
    unfrozen = [
        name
        for name, chain, depth in _under_frozen(model, watched)
        if not isinstance(chain[depth], keras.Model)
    ]
    more = tuple(dict.fromkeys(name for name in unfrozen if name not in doubted))
    if not more:
        return recorded
    forgotten = tuple(
        name for doubt in recorded if doubt.kind is Doubt.FORGOTTEN for name in doubt.variables
    )
    remaining = (doubt for doubt in recorded if doubt.kind is not Doubt.FORGOTTEN)
    return (FreezeDoubt(Doubt.FORGOTTEN, (*forgotten, *more)), *remaining)


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
        lost = [
            names[id(variable)]
            for variable in listed
            if id(variable) in names and id(variable) not in trains
        ]
        if lost:
            yield FreezeDoubt(Doubt.RELOADED, tuple(lost), layer_path(layer))


def _under_frozen(
    model: Any, watched: Sequence[Watched]
) -> Iterator[tuple[str, tuple[Any, ...], int]]:
    """Each trainable weight below a frozen layer: name, layers down to it, depth of the innermost
    frozen one."""
    names = _trainable(watched)
    for chain in chains(model):
        above = [depth for depth, layer in enumerate(chain[:-1]) if not layer.trainable]
        own = [id(variable.value) for variable in chain[-1]._trainable_variables] if above else []
        yield from ((names[key], chain, above[-1]) for key in own if key in names)


def _trainable(watched: Sequence[Watched]) -> dict[int, str]:
    return {id(item.variable): item.stored.name for item in watched if item.stored.trainable}


def _names(chain: Sequence[Any]) -> str:
    return "/".join(layer.name for layer in chain[1:]) or str(chain[0].name)
