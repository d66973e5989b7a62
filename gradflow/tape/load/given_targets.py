"""Take the targets and the sample weights that a Python caller gives with the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.errors import UsageError
from gradflow.options import InputSpec
from gradflow.text import near, quoted

_Y, _SAMPLE_WEIGHT = "y", "sample_weight"


def given_targets(
    specs: Sequence[InputSpec], names: Sequence[str], outputs: Sequence[Any]
) -> list[Any]:
    """Return the target of each of ``outputs``, which are called ``names``; None where none is
    given.

    Raises:
        UsageError: there is no such output, or there are more or fewer targets than outputs.
    """
    return _by_output(_Y, specs, names, outputs)


def given_sample_weights(
    specs: Sequence[InputSpec], names: Sequence[str], outputs: Sequence[Any]
) -> Any:
    """Return the sample weights of each of ``outputs``, with None where none are given; a tensor
    that is for all of them, as Keras takes it; or None.

    Raises:
        UsageError: there is no such output, or there are more or fewer arrays than outputs.
    """
    if not specs:
        return None
    if len(specs) == 1 and specs[0].position is not None:
        return _tensor(specs[0], outputs[0])
    return _by_output(_SAMPLE_WEIGHT, specs, names, outputs)


def _by_output(
    word: str, specs: Sequence[InputSpec], names: Sequence[str], outputs: Sequence[Any]
) -> list[Any]:
    if not specs:
        return [None] * len(outputs)
    if all(spec.position is not None for spec in specs):
        if len(specs) != len(outputs):
            number = "1 array" if len(specs) == 1 else f"{len(specs)} arrays"
            raise UsageError(
                f"{specs[0].label} {word} is {number}, and the model's outputs are {len(outputs)}",
                f"give one for each of {', '.join(names)}, or a dict by these names",
            )
        return [_tensor(spec, output) for spec, output in zip(specs, outputs, strict=True)]
    by_name = {spec.name: spec for spec in specs}
    for name, spec in by_name.items():
        if name not in names:
            hint = near(name, names) or f"the outputs are {', '.join(names)}"
            raise UsageError(
                f"{spec.label} {word}: no output is called {quoted(name)}", hint.strip()
            )
    return [
        _tensor(by_name[name], output) if name in by_name else None
        for name, output in zip(names, outputs, strict=True)
    ]


def _tensor(spec: InputSpec, output: Any) -> Any:
    with np.load(spec.file or "", allow_pickle=False) as arrays:
        array = arrays[spec.key]
    # As fit() does: numbers of NumPy are of 64 bits where nobody asks.
    if array.dtype.kind == "f" and output.dtype.is_floating:
        return tf.cast(tf.constant(array), output.dtype)
    return tf.constant(array)
