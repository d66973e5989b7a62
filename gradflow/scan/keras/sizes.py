"""Find the layers of a Keras model whose weights the file does not hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from gradflow.files.keras.code import objects
from gradflow.scan.threat import Threat
from gradflow.text import shown

_LARGE = 1 << 28
"""Numbers in one weight that are worth a look: a gigabyte of float32."""
_PACKED = 4
"""So many numbers of a weight can stand in one of the file: what is quantized packs two into a
byte."""


def oversized(config: object, member: str, stored: int) -> Iterator[Threat]:
    """Yield the layers of ``config`` that make a weight of more numbers than all ``stored`` ones.

    A gigabyte is made for each 2**28 numbers before the file's own weights are looked at. What
    depends on the shape of
    the input is not seen here: the limit on memory ends that.
    """
    for item in objects(config):
        settings = item.get("config")
        if isinstance(settings, Mapping) and "class_name" in item:
            numbers = least_numbers(str(item["class_name"]).rpartition(">")[2], settings)
            if numbers >= _LARGE and numbers > stored * _PACKED:
                name = shown(str(settings.get("name", item["class_name"])))
                yield Threat(
                    f"a weight of {numbers:,} numbers",
                    f"layer {name!r} of {member}",
                    f"takes {numbers >> 28:,} GB, and the file holds {stored:,} numbers in all",
                )


def least_numbers(kind: str, settings: Mapping[str, object]) -> int:
    """Return how many numbers the largest weight of a layer has at the least, whatever its input
    is; 0 where that is open.

    Source: ``build`` of the layers in keras/src/layers (3.15).
    """
    units, filters = _whole(settings.get("units")), _whole(settings.get("filters"))
    if kind == "Embedding":
        return _whole(settings.get("input_dim")) * _whole(settings.get("output_dim"))
    if kind.removesuffix("Cell") in _GATES:
        return _GATES[kind.removesuffix("Cell")] * units * units
    if kind == "Dense":
        return units
    if kind.startswith(("Conv", "SeparableConv", "ConvLSTM")):
        return filters * _product(settings.get("kernel_size"))
    if kind.startswith("DepthwiseConv"):
        return _product(settings.get("kernel_size"))
    if kind in ("MultiHeadAttention", "GroupQueryAttention"):
        size = settings.get("key_dim", settings.get("head_dim"))
        return _whole(settings.get("num_heads", settings.get("num_query_heads"))) * _whole(size)
    return 0


_GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


def _product(value: object) -> int:
    return math.prod(map(_whole, value)) if isinstance(value, list) else _whole(value)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
