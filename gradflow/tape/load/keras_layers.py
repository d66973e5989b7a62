"""A Keras model in, its layers out, each with the layers around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras


def chains(model: Any) -> Iterator[tuple[Any, ...]]:
    """Every layer with the layers around it, outermost first; a shared layer comes once for each
    place."""
    stack: list[tuple[Any, ...]] = [(model,)]
    while stack:
        chain = stack.pop()
        yield chain
        inner = [
            layer
            for layer in chain[-1]._layers
            if isinstance(layer, keras.layers.Layer) and layer not in chain
        ]
        stack.extend((*chain, layer) for layer in reversed(inner))


def layer_path(layer: Any) -> str:
    """The layer's ``path``; its name in versions of Keras 3 that know no paths."""
    return str(getattr(layer, "path", None) or layer.name)
