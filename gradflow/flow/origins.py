"""Find the layer and the line of the user's code that a node of a FlowGraph comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from gradflow.files.frames import BETWEEN_SOURCES, user_source
from gradflow.flow.graph import FlowGraph

T = TypeVar("T")


def source_finder(graph: FlowGraph | None) -> Callable[[int], str | None]:
    """Return a function from a node to the user's file and line, ``net.py:41``; to
    ``net.py:41 or net.py:52`` where one of them is meant."""

    def source(node: int) -> str | None:
        if graph is None:
            return None
        origins = graph.origins
        calls = _look_up_name(graph, node, origins.calls)
        if calls is not None:
            places = (user_source([call], origins.libraries) for call in calls)
            return BETWEEN_SOURCES.join(dict.fromkeys(filter(None, places))) or None
        frames = _look_up_name(graph, node, origins.frames)
        return None if frames is None else user_source(frames, origins.libraries)

    return source


def noted_layer_finder(
    graph: FlowGraph | None, scoped: Callable[[str], str | None]
) -> Callable[[int], str | None]:
    """Return a function from a node to its layer: as it was noted while tracing, else by
    ``scoped``, from its name."""

    def layer(node: int) -> str | None:
        if graph is None:
            return None
        noted = _look_up_name(graph, node, graph.origins.layer)
        return scoped(graph.names[node]) if noted is None else noted or None

    return layer


def viewer_id_finder(
    graph: FlowGraph, ids: Mapping[tuple[str, str], tuple[str, str]]
) -> Callable[[int], tuple[str, str] | None]:
    """Return a function from a node to what a viewer of the file calls it: ``ids`` are by the names
    of function and op."""
    return lambda node: _look_up_name(graph, node, lambda function, op: ids.get((function, op)))


def _look_up_name(graph: FlowGraph, node: int, look_up: Callable[[str, str], T | None]) -> T | None:
    """Branches and loops put their own names before those of the ops inside: the longest end that
    is known counts."""
    name, function = graph.names[node], graph.functions[node]
    while name:
        origin = look_up(function, name)
        if origin is not None:
            return origin
        name = name.partition("/")[2]
    return None
