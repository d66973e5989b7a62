"""Read the few numbers or words of a small TensorProto, without NumPy."""

from __future__ import annotations

import struct
from math import prod
from typing import Any

from gradflow.files.dtypes import dtype_name

_MOST = 4096
"""Entries that are read: what decides over an input is small, weights are not asked for."""
_FORMATS = {
    "float32": "f",
    "float64": "d",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "int64": "q",
    "uint32": "I",
    "uint64": "Q",
    "bool": "?",
}
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "bool": "bool_val",
}


def size_of(tensor: Any) -> int:
    """Return the number of entries of a TensorProto."""
    return prod(dim.size for dim in tensor.tensor_shape.dim)


def numbers_in(tensor: Any) -> list[float] | None:
    """Return the entries of a constant of numbers, flat; None where it is too large or of another
    type."""
    name, size = dtype_name(tensor.dtype), size_of(tensor)
    if name not in _FORMATS or size > _MOST:
        return None
    if tensor.tensor_content:
        form = f"<{size}{_FORMATS[name]}"
        if struct.calcsize(form) != len(tensor.tensor_content):
            return None
        return list(struct.unpack(form, tensor.tensor_content))
    listed = list(getattr(tensor, _FIELDS.get(name, "int_val")))
    # A short list is filled up with its last entry (tensorflow/core/framework/tensor.proto).
    filled = listed[-1] if listed else 0
    return [*listed, *[filled] * (size - len(listed))][:size]


def words_in(tensor: Any) -> list[bytes] | None:
    """Return the entries of a constant of strings, flat; None where it is of another type or too
    large."""
    if dtype_name(tensor.dtype) != "string" or size_of(tensor) > _MOST:
        return None
    listed = list(tensor.string_val)
    return [*listed, *(listed[-1:] or [b""]) * (size_of(tensor) - len(listed))][: size_of(tensor)]
