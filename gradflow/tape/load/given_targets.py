"""Take the targets that a Python caller gives with the inputs, one for each output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.errors import UsageError
from gradflow.options import InputSpec
from gradflow.text import near, quoted

GIVEN = "inputs=(x, y): "
"""Before what is wrong with them."""


def given_targets(
    specs: Sequence[InputSpec], names: Sequence[str], outputs: Sequence[Any]
) -> list[Any]:
    """Return the target of each of ``outputs``, which are called ``names``; None where none is
    given.

    Raises:
        UsageError: there is no such output, or there are more or fewer targets than outputs.
    """
    if not specs:
        return [None] * len(outputs)
    if all(spec.position is not None for spec in specs):
        if len(specs) != len(outputs):
            number = "1 array" if len(specs) == 1 else f"{len(specs)} arrays"
            raise UsageError(
                f"{GIVEN}y is {number}, and the outputs of the model are {len(outputs)}",
                f"give one for each of {', '.join(names)}, or a dict by these names",
            )
        return [_tensor(spec, output) for spec, output in zip(specs, outputs, strict=True)]
    by_name = {spec.name: spec for spec in specs}
    for name in by_name:
        if name not in names:
            hint = near(name, names) or f"the outputs are {', '.join(names)}"
            raise UsageError(f"{GIVEN}no output is called {quoted(name)}", hint.strip())
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
