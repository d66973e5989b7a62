"""Write the arrays that a Python caller gives as inputs into a file that an analysis reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gradflow.errors import UsageError
from gradflow.options import InputSpec

_FILE = "inputs.npz"
_SOURCE = "given"
_FORMS = (
    'give {"x": "float32[4,16]"}, a shape, an array, a list of arrays, (x, y), or a '
    "tf.data.Dataset of batches"
)


def as_specs(
    inputs: Any, folder: Path, input_count: int
) -> tuple[dict[str, str | InputSpec], tuple[InputSpec, ...]]:
    """Return how each input is made, by its name, and each target of the loss; by its number where
    it has no name.

    Args:
        inputs: as ``gradflow.inspect`` takes them: a mapping from names, or one input alone, a
            list of them, ``(x, y)`` or a dataset, of which the first batch is taken.
        folder: arrays are written to a file in it.
        input_count: how many inputs the model has; 0 where that is not known.

    Raises:
        UsageError: something is neither an array, nor a shape, nor a text.
    """
    arrays: dict[str, Any] = {}
    features, targets = _divided(inputs, input_count)
    specs = {
        name: _spec(name, value, position, arrays, folder / _FILE)
        for position, (name, value) in enumerate(_named(features))
    }
    judged = tuple(
        _target(name, value, position, arrays, folder / _FILE)
        for position, (name, value) in enumerate(_named(targets) if targets is not None else ())
    )
    if arrays:
        np.savez(folder / _FILE, **arrays)
    return specs, judged


def by_position(names: Sequence[str], arguments: Iterable[str]) -> list[str]:
    """Return ``names`` with the argument of the call in place of a number, such as ``#0``."""
    numbers = {_numbered(number): name for number, name in enumerate(arguments)}
    return [numbers.get(name, name) for name in names]


def _numbered(position: int) -> str:
    """Return what an input without a name is called."""
    return f"#{position}"


def _divided(inputs: Any, input_count: int) -> tuple[Any, Any]:
    """Divide a pair, or the first batch of a dataset, into features and targets: None for none."""
    if hasattr(inputs, "element_spec"):
        inputs = next(iter(inputs), None)
        if inputs is None:
            raise UsageError("the dataset is empty", "give one with at least one batch")
    if not isinstance(inputs, tuple) or _is_shape(inputs):
        return inputs, None
    is_all_of_them = 1 < len(inputs) == input_count and not _is_nested(inputs[0])
    if is_all_of_them or not inputs:
        return list(inputs), None
    return inputs[0], inputs[1] if len(inputs) > 1 else None


def _named(features: Any) -> list[tuple[str, Any]]:
    if isinstance(features, Mapping):
        return [(str(name), value) for name, value in features.items()]
    values = list(features) if _is_nested(features) and not _is_shape(features) else [features]
    return [(_numbered(number), value) for number, value in enumerate(values)]


def _is_nested(value: Any) -> bool:
    """Return whether it is a mapping, or a list of arrays; a list of numbers is an array."""
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and any(hasattr(item, "shape") for item in value)
    )


def _is_shape(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and bool(value)
        and all(isinstance(size, int) and not isinstance(size, bool) for size in value)
    )


def _spec(
    name: str, value: Any, position: int, arrays: dict[str, Any], file: Path
) -> str | InputSpec:
    number = position if name == _numbered(position) else None
    if isinstance(value, str) and number is None:
        return value
    if _is_shape(value):
        return InputSpec(name, shape=value, position=number)
    key = f"input_{position}"
    arrays[key] = array = _array(name, value)
    # Where the model declares no type, whole numbers stay what they are.
    dtype = array.dtype.name if array.dtype.kind in "biu" else None
    return InputSpec(name, dtype=dtype, file=str(file), key=key, source=_SOURCE, position=number)


def _target(name: str, value: Any, position: int, arrays: dict[str, Any], file: Path) -> InputSpec:
    key = f"target_{position}"
    number = position if name == _numbered(position) else None
    arrays[key] = _array(f"y {name}", value)
    return InputSpec(name, file=str(file), key=key, source=_SOURCE, position=number)


def _array(name: str, value: Any) -> Any:
    try:
        array = np.asarray(value)
    except Exception as error:  # of a ragged tensor, or of rows of different lengths
        raise UsageError(f"inputs: {name} is no array: {type(value).__name__}", _FORMS) from error
    if array.dtype == object and all(isinstance(item, str | bytes) for item in array.flat):
        array = array.astype("U" if all(isinstance(item, str) for item in array.flat) else "S")
    if array.dtype.kind == "V":  # bfloat16, which NumPy itself does not have
        array = array.astype("float32")
    if array.dtype.kind not in "biufcSU" or array.ndim == 0:
        raise UsageError(f"inputs: {name} is no array: {type(value).__name__}", _FORMS)
    return array
