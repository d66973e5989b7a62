"""Lower a function or a GraphDef to its FlowGraph, with all that it calls laid out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gradflow.errors import SAVE_AGAIN, DamagedError
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.lower.body import Body, graph_body
from gradflow.flow.lower.layout import Layout, NodeKey, Tensor, body_of, drain, instantiate
from gradflow.flow.lower.library import Library
from gradflow.flow.lower.raising import raising

_GRADIENT_SCOPES = frozenset({"gradient_tape", "gradients"})


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
        arguments = _arguments(layout, body)
        results = instantiate(layout, body, arguments, chain=(function, None))
        drain(layout)
    keys = _bind(layout, ((key, arguments[index].node) for index, key in variables.items()))
    graph = _finish(layout, keys, results, selected)
    # A function is differentiated as a whole: all its floating results, by all its arguments.
    return replace(graph, raising=raising(graph, layout, body, outputs=graph.filled_outputs))


def lower_graph(
    library: Library,
    graph_def: Any,
    outputs: Sequence[str],
    variables: Mapping[str, str],
    selected: Sequence[int] | None = None,
    nodes_by_key: dict[NodeKey, int] | None = None,
    fed: Mapping[str, bool] = MappingProxyType({}),
    trained: Collection[str] | None = None,
    *,
    runs_all: bool = False,
) -> FlowGraph:
    """Lay out a GraphDef from the tensors ``outputs``; ``variables`` maps node names to the
    variables' keys.

    ``nodes_by_key`` is filled with the laid out nodes, where given. ``fed`` and ``runs_all`` are as
    in ``graph_body``. ``trained`` are the keys of the variables that a training step differentiates
    by; all of them by default.

    Raises:
        UnreadableError: as ``lower_function``, and where an output is not in the graph.
    """
    layout = Layout(library, nodes_by_key=nodes_by_key)
    nodes: dict[str, int] = {}
    with _damage_named():
        body = graph_body(library, graph_def, outputs, fed, runs_all=runs_all)
        arguments = _arguments(layout, body)
        results = instantiate(layout, body, arguments, chain=("", None), nodes=nodes)
        drain(layout)
    for name in variables:
        if name not in nodes:
            # Captured, but no selected output depends on it.
            nodes[name] = layout.builder.node(name, "_Arg")
        if name in body.idle:
            layout.idle.setdefault(nodes[name], body.idle[name])
    keys = _bind(layout, ((key, nodes[name]) for name, key in variables.items()))
    graph = _finish(layout, keys, results, selected)
    sources = {name for name, key in variables.items() if trained is None or key in trained}
    return replace(graph, raising=raising(graph, layout, body, sources, graph.outputs))


def _arguments(layout: Layout, body: Body) -> list[Tensor]:
    """Return a node for each argument of the outermost body."""
    return [
        Tensor(layout.builder.node(name, "_Arg"), floating) for name, floating in body.arguments
    ]


def _bind(layout: Layout, captures: Iterable[tuple[str, int]]) -> dict[str, int]:
    """One node a variable; where it is captured twice, the second node hangs on the first."""
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
            SAVE_AGAIN,
        ) from error


def _finish(
    layout: Layout,
    variables: Mapping[str, int],
    results: Sequence[Tensor],
    selected: Sequence[int] | None,
) -> FlowGraph:
    chosen = range(len(results)) if selected is None else selected
    outputs = [results[index] for index in chosen]
    graph = layout.builder.build(
        variables,
        outputs=_nodes(tensor for tensor in outputs if tensor.floating),
        discrete_outputs=_nodes(tensor for tensor in outputs if not tensor.floating),
        filled_outputs=_nodes(tensor for tensor in results if tensor.floating),
    )
    return replace(
        graph,
        op_specs=layout.library.op_specs,
        assignments=tuple(layout.assignments),
        overwritten_reads=frozenset(layout.overwritten_reads),
        idle=layout.idle if layout.idle and _takes_gradient(graph.names) else {},
    )


def _takes_gradient(names: Iterable[str]) -> bool:
    """Whether the call itself takes a gradient: TensorFlow puts its ops into a scope of their
    own."""
    return any(part in _GRADIENT_SCOPES for name in names for part in name.split("/")[:-1])


def _nodes(tensors: Iterable[Tensor]) -> list[int]:
    """Return the nodes of ``tensors``, each once, in their order."""
    return list(dict.fromkeys(tensor.node for tensor in tensors))
