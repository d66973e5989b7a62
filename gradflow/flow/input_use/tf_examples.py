"""List the features that an op looks for in the ``tf.Example`` records that it parses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradflow.files.dtypes import dtype_name
from gradflow.flow.input_use.reading import Reading
from gradflow.flow.input_use.uses import Feature, Parts, Use

_ANY = Use()


def parse_features(reading: Reading) -> Iterator[tuple[int, Feature]]:
    """Yield the op's outputs that hold values of a feature, each with the feature; nothing for
    other ops.

    Source of the outputs' order: tensorflow/core/ops/parsing_ops.cc, version 2.21.
    """
    if reading.node.op == "ParseExampleV2":
        keys = [_keys(reading, input_number) for input_number in (2, 3, 4)]
    elif reading.node.op == "ParseExample":
        keys = _listed_keys(reading)
    elif reading.node.op == "ParseSingleExample":
        attr = reading.node.attr
        keys = [_decoded(attr["sparse_keys"].list.s), _decoded(attr["dense_keys"].list.s), []]
    else:
        return
    sparse, dense, ragged = keys
    attr = reading.node.attr
    yield from _numbered(sparse, attr["sparse_types"].list.type, Parts.SPARSE, len(sparse), [])
    dense_types = attr["Tdense"].list.type
    yield from _numbered(
        dense, dense_types, Parts.DENSE, 3 * len(sparse), attr["dense_shapes"].list.shape
    )
    first = 3 * len(sparse) + len(dense)
    yield from _numbered(ragged, attr["ragged_value_types"].list.type, Parts.RAGGED, first, [])


def _numbered(
    keys: list[str], types: Any, parts: Parts, first: int, shapes: Any
) -> Iterator[tuple[int, Feature]]:
    for input_number, (key, kind) in enumerate(zip(keys, types, strict=False)):
        shape: tuple[int | None, ...] = (None,)
        if input_number < len(shapes):
            shape = tuple(dim.size if dim.size >= 0 else None for dim in shapes[input_number].dim)
        yield first + input_number, Feature(key, parts, dtype_name(kind), shape, _ANY)


def _keys(reading: Reading, input_number: int) -> list[str]:
    inputs = reading.frame.wires.inputs[reading.number]
    return _decoded(reading.wiring.words(reading.frame, inputs[input_number]) or [])


def _listed_keys(reading: Reading) -> list[list[str]]:
    """The older op has one input a key, behind the records and their names."""
    inputs = reading.frame.wires.inputs[reading.number]
    sparse, dense = (reading.node.attr[name].i for name in ("Nsparse", "Ndense"))
    words = [
        reading.wiring.words(reading.frame, reference) or [b""]
        for reference in inputs[2 : 2 + sparse + dense]
    ]
    keys = _decoded(word[0] for word in words)
    return [keys[:sparse], keys[sparse:], []]


def _decoded(words: Any) -> list[str]:
    return [word.decode("utf-8", "replace") for word in words]
