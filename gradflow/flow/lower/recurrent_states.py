"""Tell the states of recurrent layers from what else they are called with."""

from __future__ import annotations

from collections.abc import Mapping

from gradflow.files.keras.cells import cells_of
from gradflow.files.keras.config import LayerConfig

_STATES = {"LSTM": 2, "LSTMCell": 2, "ConvLSTM1D": 2, "ConvLSTM2D": 2, "ConvLSTM3D": 2}


def states_of_cell(cell: LayerConfig) -> int:
    """Return how many states a cell keeps."""
    return _STATES.get(cell.class_name, 1)


def with_states(
    args: tuple[object, ...], kwargs: Mapping[str, object]
) -> tuple[tuple[object, ...], Mapping[str, object]]:
    """Return the arguments of a recurrent layer with its states by their keyword.

    Keras 2 writes ``layer([x, *states])`` for ``layer(x, initial_state=states)`` (2.15,
    layers/rnn/rnn_utils.py: ``standardize_args``).
    """
    if not args or not isinstance(args[0], list) or "initial_state" in kwargs:
        return args, kwargs
    first, *states = args[0]
    if not states:
        return (first, *args[1:]), kwargs
    return (first, *args[1:]), {**kwargs, "initial_state": states}


def halves(
    args: tuple[object, ...], kwargs: Mapping[str, object]
) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return the keyword arguments for each layer in a Bidirectional: the first half of the states
    is the one's, the other half the other's."""
    named = {**dict(zip(("initial_state", "mask", "training"), args[1:], strict=False)), **kwargs}
    states = named.get("initial_state")
    if not isinstance(states, list) or len(states) < 2:
        return named, named
    half = len(states) // 2
    ahead, back = states[:half], states[half:]
    return {**named, "initial_state": ahead}, {**named, "initial_state": back}


def count_of_states(layer: LayerConfig) -> int | None:
    """Return how many states a recurrent layer returns besides its output."""
    if not layer.options.get("return_state"):
        return 0
    if layer.class_name == "RNN":
        cells = cells_of(layer)
        return sum(states_of_cell(cell) for cell in cells)
    return states_of_cell(layer)
