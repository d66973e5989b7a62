"""Count the constants that stand in place of an entry's weights."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from gradflow.files.dtypes import FLOATING_NAMES, dtype_name
from gradflow.files.saved_model.schema import attribute
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.calls import named_functions


@dataclass(frozen=True, slots=True)
class Constants:
    """Floating constants of more than one entry."""

    count: int
    parameters: int
    """Their entries, all together."""


def constants(graph_def: Any, function: str | None) -> Constants:
    """Count the constants of ``function`` and of all that it calls; of the graph's own nodes where
    it is None."""
    functions = {definition.signature.name: definition for definition in graph_def.library.function}
    sizes = [size for node in _nodes(graph_def, functions, function) if (size := _size(node)) > 1]
    return Constants(len(sizes), sum(sizes))


def _nodes(graph_def: Any, functions: dict[str, Any], start: str | None) -> Iterator[Any]:
    waiting = [graph_def.node if start is None else functions[start].node_def]
    reached = {start}
    for nodes in waiting:
        yield from nodes
        for name in (name for node in nodes for name in named_functions(node)):
            if name in functions and name not in reached:
                reached.add(name)
                waiting.append(functions[name].node_def)


def _size(node: Any) -> int:
    if (
        node.op != "Const"
        or dtype_name(attribute(node, "value").tensor.dtype) not in FLOATING_NAMES
    ):
        return 0
    return prod(max(0, dim.size) for dim in attribute(node, "value").tensor.tensor_shape.dim)
