"""Find values in a program that no model needs: handles made by hand, and shapes beyond all
memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from gradflow.files.dtypes import RESOURCE, VARIANT
from gradflow.scan.saved_model.ops import describe_node
from gradflow.scan.saved_model.program import Program
from gradflow.scan.threat import Threat

_HANDLES = {RESOURCE, VARIANT}
_PARSERS: Mapping[str, str] = MappingProxyType(
    {
        "ParseTensor": "out_type",
        "DecodeProtoV2": "output_types",
        "DeserializeSparse": "dtype",
        "DeserializeManySparse": "dtype",
    }
)
"""Ops that make tensors of bytes that they are given, and the attribute that names the type."""
_MOST = 1 << 28
"""Entries of one constant, one gigabyte of floats, that is not spelled out in the file."""
_DEEP = 20
"""Attributes in attributes."""


def strange_attributes(program: Program) -> Iterator[Threat]:
    """Yield the attributes of nodes, arguments and defaults that hold what no exporter writes."""
    for body, nodes in program.bodies.items():
        for node in nodes:
            for name, value in node.attr.items():
                for harm in (*_harms(value), *_of_parser(node.op, name, value)):
                    yield Threat(
                        f"attribute {name!r} of op {node.op}", describe_node(body, node.name), harm
                    )


def _harms(value: Any, depth: int = 0) -> Iterator[str]:
    if value.HasField("tensor"):
        yield from _of_tensor(value.tensor)
    if value.HasField("list"):
        for tensor in value.list.tensor:
            yield from _of_tensor(tensor)
        for function in value.list.func:
            yield from _inside(function.attr.values(), depth)
    if value.HasField("func") and value.func.attr:
        yield from _inside(value.func.attr.values(), depth)


def _of_parser(op: str, name: str, value: Any) -> Iterator[str]:
    """Yield what is wrong with an attribute of an op that makes tensors of bytes: they are those of
    whoever wrote the file."""
    if _PARSERS.get(op) != name:
        return
    kinds = (value.type, *value.list.type)
    if any(kind % 100 in _HANDLES for kind in kinds) or value.HasField("placeholder"):
        yield "makes handles of bytes, which point into the memory of TensorFlow"


def _inside(values: Iterable[Any], depth: int) -> Iterator[str]:
    if depth > _DEEP:
        yield f"nests attributes more than {_DEEP} deep, which no model needs"
        return
    for value in values:
        yield from _harms(value, depth + 1)


def _of_tensor(tensor: Any) -> Iterator[str]:
    if tensor.dtype % 100 in _HANDLES:
        yield "holds a handle that points into the memory of TensorFlow"
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if any(size < 0 for size in sizes):
        yield f"has the shape {sizes}, which no tensor has"
        return
    entries = math.prod(sizes)
    if entries > _MOST and len(tensor.tensor_content) < entries:
        yield (
            f"has the shape {sizes}, which takes all memory, and the file does not hold its values"
        )
