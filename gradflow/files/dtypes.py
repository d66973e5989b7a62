"""DataType numbers of TensorFlow's protobufs in, names of data types out.

Source: tensorflow/core/framework/types.proto, version 2.21.
"""

from __future__ import annotations

_NAMES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    11: "qint8",
    12: "quint8",
    13: "qint32",
    14: "bfloat16",
    15: "qint16",
    16: "quint16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    20: "resource",
    21: "variant",
    22: "uint32",
    23: "uint64",
    24: "float8_e5m2",
    25: "float8_e4m3fn",
    29: "int4",
    30: "uint4",
}

FLOATING_NAMES = frozenset({"float16", "bfloat16", "float32", "float64", "complex64", "complex128"})
"""The data types of variables that can be trained; no tape records a float8
(``gradflow.flow.op_rules.FLOATING``)."""


def dtype_name(number: int) -> str:
    """Return the name of a DataType number; reference types (100 more) have the name of their base
    type."""
    return _NAMES.get(number % 100, f"dtype{number}")
