"""A callable and a batch in, the FlowGraph of its trace out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from gradflow.flow.graph import FlowGraph
from gradflow.flow.lower import library_of, lower_graph, op_types
from gradflow.tape.custom_gradients import traced_gradients
from gradflow.tape.custom_ops import registered_specs
from gradflow.tape.origins import Notes, live_origins
from gradflow.tape.subject import Watched


def trace(
    call: Callable[[Sequence[Any]], list[tuple[str, Any]]],
    batch: Sequence[Any],
    watched: Sequence[Watched],
    selected: Sequence[str],
    notes: Notes | None = None,
) -> FlowGraph:
    """Trace ``call`` on tensors shaped like ``batch`` and lower the graph; nothing is run.

    ``notes``: the layers, as they are noted meanwhile.
    """
    names: list[str] = []

    def flat(*tensors: Any) -> list[Any]:
        outputs = call(tensors)
        names[:] = [name for name, _ in outputs]
        return [value for _, value in outputs]

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in batch]
    concrete = tf.function(flat, autograph=False).get_concrete_function(*specs)
    graph_def = concrete.graph.as_graph_def()
    graph = lower_concrete(concrete.graph, graph_def, names, watched, selected)
    return replace(graph, origins=live_origins(concrete.graph, graph_def, notes or {}))


def lower_concrete(
    graph: Any, graph_def: Any, names: Sequence[str], watched: Sequence[Watched], selected: Sequence[str]
) -> FlowGraph:
    """Lower a live FuncGraph, defined by ``graph_def``, whose flat outputs are called ``names``."""
    by_handle = {id(item.variable.handle): item.stored.name for item in watched if item.variable is not None}
    variables = {
        placeholder.op.name: by_handle[id(external)]
        for external, placeholder in graph.captures
        if id(external) in by_handle
    }
    outputs = [output.name for output in graph.outputs]
    chosen = [place for place, name in enumerate(names) if not selected or name in selected]
    gradients = traced_gradients(graph, graph_def)
    library = library_of(graph_def, (), gradients, registered_specs(op_types(graph_def)))
    return lower_graph(library, graph_def, outputs, variables, chosen)
