"""Tell the layer of ops in a function that a layer calls: Keras 2 saves a function for each."""

from __future__ import annotations

from collections.abc import Callable

from gradflow.flow.graph import Edge, FlowGraph
from gradflow.ops.families import CALLS

LayerOf = Callable[[int], str | None]


def with_called(graph: FlowGraph, layer_of: LayerOf) -> LayerOf:
    """Return ``layer_of``, which also knows of an op in no layer that its function is called by one
    layer alone."""
    callers: dict[str, dict[str, str | None]] = {}
    for node, op in enumerate(graph.ops):
        if op not in CALLS:
            continue
        outer = graph.functions[node]
        for edge in range(graph.first[node], graph.first[node + 1]):
            inner = graph.functions[graph.sources[edge]]
            if graph.kinds[edge] != Edge.FILL and inner != outer:
                callers.setdefault(inner, {})[outer] = layer_of(node)
    layers: dict[str, str | None] = {"": None}

    def called(function: str) -> str | None:
        """Return the layer that calls a function, or calls what calls it."""
        waiting = [function]
        while waiting:
            current = waiting[-1]
            outer = callers.get(current, {})
            unknown = [name for name, layer in outer.items() if not layer and name not in layers]
            layers.setdefault(current, None)  # a function that calls itself has no layer
            if unknown:
                waiting += unknown
                continue
            found = {layer or layers[name] for name, layer in outer.items()}
            layers[current] = found.pop() if len(found) == 1 else None
            waiting.pop()
        return layers[function]

    def layer(node: int) -> str | None:
        own = layer_of(node)
        function = graph.functions[node]
        if own or not function:
            return own
        return layers[function] if function in layers else called(function)

    return layer
