"""Resolve the names of tensors in a function or a graph to the outputs of nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from gradflow.flow.lower.library import Library, output_starts
from gradflow.ops.tensor_names import output_of

Reference = tuple[int, int]
"""Node index and output index; argument ``i`` of the body is ``(~i, 0)``."""

Resolver = Callable[[str], Reference]
"""From the name of a tensor; a KeyError where it stands for no node."""


def function_resolver(library: Library, function: Any) -> Resolver:
    """Resolve the names in a FunctionDef: ``argument``, ``node``, ``node:1``, ``node:output:1``."""
    arguments = {arg.name: ~number for number, arg in enumerate(function.signature.input_arg)}
    nodes = {node.name: number for number, node in enumerate(function.node_def)}
    starts: dict[int, dict[str, int]] = {}

    def resolve(tensor: str) -> Reference:
        parts = tensor.split(":")
        if len(parts) < 3:
            if parts[0] in arguments:
                return arguments[parts[0]], 0
            output = parts[1] if len(parts) == 2 else ""
            return nodes[parts[0]], int(output) if output.isdigit() else 0
        number = nodes[parts[0]]
        if number not in starts:
            starts[number] = output_starts(library, function.node_def[number])
        return number, starts[number].get(parts[1], 0) + int(parts[2])

    return resolve


def graph_resolver(graph_def: Any, fed: Mapping[str, bool] = MappingProxyType({})) -> Resolver:
    """Resolve the names in a GraphDef's own nodes: ``node``, ``node:1``.

    The tensors ``fed`` are the arguments, whatever the graph would make them from.
    """
    nodes = {node.name: number for number, node in enumerate(graph_def.node)}
    arguments = {output_of(name): ~number for number, name in enumerate(fed)}

    def resolve(tensor: str) -> Reference:
        name, output = output_of(tensor)
        if (name, output) in arguments:
            return arguments[name, output], 0
        return nodes[name], output

    return resolve
