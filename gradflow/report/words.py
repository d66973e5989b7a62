"""Put counts, sums, shapes and types into words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gradflow.findings import Variable
from gradflow.text import shown


def counted(number: int, noun: str) -> str:
    """``1 weight``, ``4,160 weights``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def in_total(variables: Collection[Variable]) -> str:
    """``2 weights, 84 parameters``."""
    parameters = sum(variable.parameters for variable in variables)
    return f"{counted(len(variables), 'weight')}, {counted(parameters, 'parameter')}"


def untrainable(variable: Variable) -> str:
    """Say of state that its creator called it trainable, and why it is not trained."""
    is_integer = "int" in variable.dtype
    noun = "an integer" if is_integer else f"a variable of type {shown(variable.dtype)}"
    return f"declared trainable, and {noun} gets no gradient"


def type_and_shape(dtype: str, shape: Sequence[int | None]) -> str:
    """``float32[2,6]``, with ``?`` for an unknown dimension."""
    return f"{shown(dtype)}[{','.join('?' if size is None else str(size) for size in shape)}]"
