"""Trace a call on a batch, and lower the trace to a graph of gradient flow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from gradflow.flow.graph import FlowGraph
from gradflow.flow.lower.by_entries import can_divide
from gradflow.flow.lower.graph_def import lower_graph, op_types
from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.lower.library import Library, library_of
from gradflow.tape.custom_gradients import traced_gradients
from gradflow.tape.custom_ops import registered_specs
from gradflow.tape.op_origins import Notes, live_origins


@dataclass(frozen=True, slots=True)
class Trace:
    """A call that was traced."""

    concrete: Any
    """The ConcreteFunction."""
    names: Sequence[str]
    """Of its flat outputs."""
    notes: Notes
    """The layers, as they were noted meanwhile."""


def trace(
    call: Callable[[Sequence[Any]], list[tuple[str, Any]]],
    batch: Sequence[Any],
    notes: Notes | None = None,
) -> Trace:
    """Trace ``call`` on tensors shaped like ``batch``; nothing is run.

    ``notes``: the layers, as they are noted meanwhile.
    """
    names: list[str] = []

    def flat(*tensors: Any) -> list[Any]:
        outputs = call(tensors)
        names[:] = [name for name, _ in outputs]
        return [value for _, value in outputs]

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in batch]
    concrete = tf.function(flat, autograph=False).get_concrete_function(*specs)
    return Trace(concrete, names, notes if notes is not None else Notes())


def lower_trace(
    traced: Trace,
    handles: Mapping[int, str],
    selected: Sequence[str],
    nodes_by_key: dict[NodeKey, int] | None = None,
    trained: Collection[str] | None = None,
    library: Library | None = None,
) -> FlowGraph:
    """Lower a trace.

    Args:
        traced: the trace.
        handles: variable names by the ``id`` of their handle.
        selected: names of the outputs that count; empty for all.
        nodes_by_key: as for ``lower_graph``.
        trained: names of the variables that a training step watches; all of ``handles`` by default.
        library: that of its graph, where it was made before; joined tensors are laid out part by
            part where there is none.
    """
    graph = traced.concrete.graph
    graph_def = graph.as_graph_def()
    if library is None:
        library = _library(graph, graph_def)
        if can_divide(op_types(graph_def)):
            graph_def = graph.as_graph_def(add_shapes=True)
            functions = {inner.signature.name: inner for inner in graph_def.library.function}
            library = replace(library, functions=functions, by_entries=True)
    variables = {
        placeholder.op.name: handles[id(external)]
        for external, placeholder in graph.captures
        if id(external) in handles
    }
    outputs = [output.name for output in graph.outputs]
    chosen = [index for index, name in enumerate(traced.names) if not selected or name in selected]
    lowered = lower_graph(
        library,
        graph_def,
        outputs,
        variables,
        selected=chosen,
        nodes_by_key=nodes_by_key,
        trained=trained,
        runs_all=True,
    )
    return replace(lowered, origins=live_origins(graph, graph_def, traced.notes))


def live_library(graph: Any) -> Library:
    """Return the functions that a live FuncGraph calls, with what this process knows of their
    gradients."""
    return _library(graph, graph.as_graph_def())


def _library(graph: Any, graph_def: Any) -> Library:
    gradients = traced_gradients(graph, graph_def)
    return library_of(
        graph_def,
        custom_gradients=gradients.returned,
        registered=registered_specs(op_types(graph_def)),
        recomputed=gradients.recomputed,
    )
