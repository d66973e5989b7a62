"""Name the data types of TensorFlow's protobufs by their numbers.

Source: tensorflow/core/framework/types.proto and types.cc, version 2.21.
"""

from __future__ import annotations

from collections.abc import Mapping

# number, name in Keras and NumPy, name in an OpDef where that is another one, bytes of a number (0
# where a checkpoint can hold none, or not of a fixed size)
_TABLE = """
1  float32          4  float
2  float64          8  double
3  int32            4
4  uint8            1
5  int16            2
6  int8             1
7  string           0
8  complex64        8
9  int64            8
10 bool             1
11 qint8            1
12 quint8           1
13 qint32           4
14 bfloat16         2
15 qint16           2
16 quint16          2
17 uint16           2
18 complex128       16
19 float16          2  half
20 resource         0
21 variant          0
22 uint32           4
23 uint64           8
24 float8_e5m2      1
25 float8_e4m3fn    1
26 float8_e4m3fnuz  1
27 float8_e4m3b11fnuz 1
28 float8_e5m2fnuz  1
29 int4             1
30 uint4            1
31 int2             1
32 uint2            1
33 float4_e2m1fn    1
"""
_ROWS = tuple(line.split() for line in _TABLE.split("\n") if line)
_NAMES = {int(number): name for number, name, *_ in _ROWS}

BYTES: Mapping[int, int] = {int(row[0]): int(row[2]) for row in _ROWS if row[2] != "0"}
"""Bytes that a checkpoint takes for one number, by DataType; strings have no fixed size, and no
checkpoint holds handles."""
OP_DEF_NUMBERS: Mapping[str, int] = {row[-1] if row[3:] else row[1]: int(row[0]) for row in _ROWS}
"""DataType by the name that stands in an OpDef."""
STRING, RESOURCE, VARIANT = (OP_DEF_NUMBERS[name] for name in ("string", "resource", "variant"))

FLOATING_NAMES = frozenset({"float16", "bfloat16", "float32", "float64", "complex64", "complex128"})
"""The data types of variables that can be trained; no tape records a float8
(``gradflow.flow.op_rules.FLOATING``)."""


def dtype_name(number: int) -> str:
    """Return the name of a DataType number; reference types (100 more) have the name of their base
    type."""
    return _NAMES.get(number % 100, f"dtype{number}")
