"""Find the biases that a normalization behind them cancels, as the layers of Keras show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gradflow.tape.load.keras_layers import is_of_keras
from gradflow.tape.replay.shift_invariance import BATCH_NORMALIZATION, NORMALIZATION


def shifted_before_normalization(layers: Iterable[Any]) -> Iterator[tuple[Any, str]]:
    """Yield the biases of layers whose output goes to nothing but normalizations that subtract the
    mean over all that each entry of the bias is added to, and what subtracts it.

    The code of Keras's own layers is known, so that no graph has to be traced to explain why their
    gradients are rounding noise. Layers of Keras 3 and of Keras 2, in training.
    """
    for layer in layers:
        bias = getattr(layer, "bias", None)
        if bias is None or len(bias.shape) != 1 or not is_of_keras(layer) or _is_bent(layer):
            continue
        nodes = getattr(layer, "_outbound_nodes", ())
        consumers = [getattr(node, "operation", None) or node.layer for node in nodes]
        axis = 1 if getattr(layer, "data_format", None) == "channels_first" else -1
        removers = [_subtracts_mean(consumer, axis) for consumer in consumers]
        if removers and all(removers):
            yield bias, removers[0]


def _is_bent(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    return activation is not None and getattr(activation, "__name__", "") != "linear"


def _subtracts_mean(layer: Any, axis: int) -> str:
    """Return what subtracts the mean over every axis but those of the batch and ``axis``; empty
    where the layer does not."""
    spec: Any = getattr(layer, "input_spec", None)
    # A model inside a model has a list of them, one for each input.
    if not is_of_keras(layer) or not getattr(spec, "ndim", 0) or len(spec.axes or ()) != 1:
        return ""
    ((own_axis, size),) = spec.axes.items()
    if own_axis % spec.ndim != axis % spec.ndim:
        return ""
    kind = type(layer).__name__
    if kind == "BatchNormalization" and layer.trainable:
        return BATCH_NORMALIZATION
    if kind == "GroupNormalization" and layer.groups == size:
        return NORMALIZATION
    return ""
