"""Write the arrays that a Python caller gives as inputs into a file that an analysis reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gradflow.errors import UsageError
from gradflow.options import InputSpec

_FILE = "inputs.npz"
_SOURCE = "given"
_PARTS = 3
"""Of a tuple, as fit() takes it: x, y, sample_weight."""
_FORMS = (
    'give {"x": "float32[4,16]"}, a shape, an array, a list of arrays, (x, y), '
    "(x, y, sample_weight), or a tf.data.Dataset of batches"
)


@dataclass(frozen=True, slots=True)
class GivenArrays:
    """What a caller gives: of each thing how it is made, by its number where it has no name."""

    inputs: dict[str, str | InputSpec]
    targets: tuple[InputSpec, ...]
    """What the loss compares the outputs with."""
    sample_weights: tuple[InputSpec, ...]
    """How much each row counts in the loss."""


def as_specs(inputs: Any, folder: Path, input_count: int, label: str = "inputs") -> GivenArrays:
    """Return how each input, each target of the loss and each sample weight is made.

    Args:
        inputs: as ``gradflow.inspect`` takes them: a mapping from names, or one input alone, a
            list of them, ``(x, y)``, ``(x, y, sample_weight)`` or a dataset, of which the first
            batch is taken.
        folder: arrays are written to a file in it.
        input_count: how many inputs the model has; 0 where that is not known.
        label: what messages call ``inputs``.

    Raises:
        UsageError: something is neither an array, nor a shape, nor a text.
    """
    writer = _Writer(folder / _FILE, f"{label}:")
    features, targets, sample_weight = _divided(inputs, input_count, label)
    given = GivenArrays(
        {
            name: writer.of_input(name, value, position)
            for position, (name, value) in enumerate(_named(features))
        },
        writer.of_loss("y", targets),
        writer.of_loss("sample_weight", sample_weight),
    )
    writer.close()
    return given


def by_position(names: Sequence[str], arguments: Iterable[str]) -> list[str]:
    """Return ``names`` with the argument of the call in place of a number, such as ``#0``."""
    numbers = {_numbered(number): name for number, name in enumerate(arguments)}
    return [numbers.get(name, name) for name in names]


def _numbered(position: int) -> str:
    """Return what an input without a name is called."""
    return f"#{position}"


def _divided(inputs: Any, input_count: int, label: str) -> tuple[Any, Any, Any]:
    """Divide a tuple, or the first batch of a dataset, into features, targets and sample weights:
    None for none."""
    if hasattr(inputs, "element_spec"):
        inputs = next(iter(inputs), None)
        if inputs is None:
            raise UsageError(f"{label}: the dataset is empty", "give one with at least one batch")
    if not isinstance(inputs, tuple) or _is_shape(inputs):
        return inputs, None, None
    is_all_of_them = 1 < len(inputs) == input_count and not _is_nested(inputs[0])
    if is_all_of_them or not inputs:
        return list(inputs), None, None
    if len(inputs) > _PARTS:
        raise UsageError(
            f"{label}: a tuple of {len(inputs)} is neither (x, y) nor (x, y, sample_weight)",
            "give several inputs as a list of arrays, or as a dict by their names",
        )
    features, targets, sample_weight = (*inputs, None, None)[:_PARTS]
    return features, targets, sample_weight


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


class _Writer:
    """Collects the arrays that are given, for one file."""

    def __init__(self, file: Path, label: str) -> None:
        """Keep where the arrays go, and what stands before the name of each in a message."""
        self.file = file
        self.label = label
        self.arrays: dict[str, Any] = {}

    def of_input(self, name: str, value: Any, position: int) -> str | InputSpec:
        """Return how an input is made."""
        number = position if name == _numbered(position) else None
        if isinstance(value, str) and number is None:
            return value
        if _is_shape(value):
            return InputSpec(name, shape=value, position=number, label=self.label)
        spec = self._written(name, f"input_{position}", value, name, number)
        kind = self.arrays[spec.key or ""].dtype
        # Where the model declares no type, whole numbers stay what they are.
        return replace(spec, dtype=kind.name) if kind.kind in "biu" else spec

    def of_loss(self, word: str, values: Any) -> tuple[InputSpec, ...]:
        """Return how targets or sample weights are made; ``word``: what ``fit`` calls them."""
        named = _named(values) if values is not None else []
        specs = []
        for position, (name, value) in enumerate(named):
            number = position if name == _numbered(position) else None
            called = word if len(named) == 1 and number is not None else f"{word} {name}"
            specs.append(self._written(name, f"{word}_{position}", value, called, number))
        return tuple(specs)

    def close(self) -> None:
        """Write the file where there is something to write."""
        if self.arrays:
            np.savez(self.file, **self.arrays)

    def _written(
        self, name: str, key: str, value: Any, called: str, position: int | None
    ) -> InputSpec:
        self.arrays[key] = self._array(value, called)
        return InputSpec(
            name,
            file=str(self.file),
            key=key,
            source=_SOURCE,
            position=position,
            label=self.label,
        )

    def _array(self, value: Any, called: str) -> Any:
        message = f"{self.label} {called} is no array: {type(value).__name__}"
        try:
            array = np.asarray(value)
        except Exception as error:  # of a ragged tensor, or of rows of different lengths
            raise UsageError(message, _FORMS) from error
        if array.dtype == object and all(isinstance(item, str | bytes) for item in array.flat):
            array = array.astype("U" if all(isinstance(item, str) for item in array.flat) else "S")
        if array.dtype.kind == "V":  # bfloat16, which NumPy itself does not have
            array = array.astype("float32")
        if array.dtype.kind not in "biufcSU" or array.ndim == 0:
            raise UsageError(message, _FORMS)
        return array
