"""A function or a GraphDef in, its FlowGraph out, with all that it calls laid out: one walk sees
through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gradflow.errors import DamagedError
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.lower.body import Library, graph_body
from gradflow.flow.lower.layout import Layout, Place, Value, body_of, drain, instantiate, pack
from gradflow.flow.op_rules import OpSpec, spec, spec_from_op_def


def library_of(
    graph_def: Any,
    op_defs: Sequence[Any] = (),
    custom_gradients: Mapping[str, tuple[bool, ...]] | None = None,
    registered: Mapping[str, OpSpec] = MappingProxyType({}),
    disabled: frozenset[str] = frozenset(),
) -> Library:
    """Collect the functions of a GraphDef, and the definitions of ops that the table does not know.

    Those of the file say nothing about gradients; ``registered``, what this process knows, outranks
    them. ``disabled`` are the nodes of the graph that let no gradient in.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    unknown = {
        op_def.name: spec_from_op_def(op_def) for op_def in op_defs if spec(op_def.name) is None
    }
    return Library(functions, {**unknown, **registered}, custom_gradients, disabled)


def op_types(graph_def: Any) -> frozenset[str]:
    """Return the op types that a GraphDef and its functions use; the functions that it calls by
    name are none."""
    bodies = (graph_def.node, *(function.node_def for function in graph_def.library.function))
    used = {node.op for body in bodies for node in body}
    return frozenset(
        used.difference(function.signature.name for function in graph_def.library.function)
    )


def lower_function(
    library: Library,
    function: str,
    variables: Mapping[int, str],
    selected: Sequence[int] | None = None,
) -> FlowGraph:
    """Lay out a function.

    Args:
        library: where it and all that it calls is found.
        function: its name.
        variables: key of the variable that each bound argument stands for, by argument index.
        selected: indexes of the outputs that count; all of them by default.

    Raises:
        UnreadableError: it calls a function that is not there, or itself, or grows beyond
            ``MAX_NODES``.
    """
    layout = Layout(library)
    with _damage_named():
        body = body_of(layout, function)
        arguments = [
            pack(layout.builder.node(name, "_Arg"), floating) for name, floating in body.arguments
        ]
        results = instantiate(layout, body, arguments, "", "", (function, None))
        drain(layout)
    keys = _bind(layout, ((key, arguments[index] >> 1) for index, key in variables.items()))
    return _finish(layout, keys, results, selected)


def lower_graph(
    library: Library,
    graph_def: Any,
    outputs: Sequence[str],
    variables: Mapping[str, str],
    selected: Sequence[int] | None = None,
    places: dict[Place, int] | None = None,
    fed: Mapping[str, bool] = MappingProxyType({}),
) -> FlowGraph:
    """Lay out a GraphDef from the tensors ``outputs``; ``variables`` maps node names to the
    variables' keys.

    ``places`` is filled with the node of each place, where given. ``fed`` is as in ``graph_body``.

    Raises:
        UnreadableError: as ``lower_function``, and where an output is not in the graph.
    """
    layout = Layout(library, places=places)
    nodes: dict[str, int] = {}
    with _damage_named():
        body = graph_body(library, graph_def, outputs, fed)
        given = [
            pack(layout.builder.node(name, "_Arg"), floating) for name, floating in body.arguments
        ]
        results = instantiate(layout, body, given, "", "", ("", None), nodes)
        drain(layout)
    for name in variables:
        if name not in nodes:
            # Captured, but no selected output depends on it.
            nodes[name] = layout.builder.node(name, "_Arg")
    keys = _bind(layout, ((key, nodes[name]) for name, key in variables.items()))
    return _finish(layout, keys, results, selected)


def _bind(layout: Layout, captures: Iterable[tuple[str, int]]) -> dict[str, int]:
    """One node a variable; where it is captured twice, the second place hangs on the first."""
    keys: dict[str, int] = {}
    for key, node in captures:
        if keys.setdefault(key, node) != node:
            layout.builder.edge(keys[key], node, Edge.FLOW)
    return keys


@contextmanager
def _damage_named() -> Iterator[None]:
    """A reference to a node, an output or an attribute that is not there means a damaged file."""
    try:
        yield
    except (KeyError, IndexError, ValueError) as error:
        raise DamagedError(
            f"the graph refers to something that it does not have ({error})",
            "the file is damaged: save the model again",
        ) from error


def _finish(
    layout: Layout,
    variables: Mapping[str, int],
    results: Sequence[Value],
    selected: Sequence[int] | None,
) -> FlowGraph:
    chosen = range(len(results)) if selected is None else selected
    outputs = [results[index] for index in chosen]
    graph = layout.builder.build(
        variables,
        outputs=list(dict.fromkeys(value >> 1 for value in outputs if value & 1)),
        discrete_outputs=list(dict.fromkeys(value >> 1 for value in outputs if not value & 1)),
        filled_outputs=list(dict.fromkeys(value >> 1 for value in results if value & 1)),
    )
    return replace(graph, op_specs=layout.library.op_specs)
