"""Tell to which inputs each custom gradient of a live FuncGraph returns a gradient, and which only
recompute.

A SavedModel records the same for its own graph.

The way is TensorFlow's own (tensorflow/python/saved_model/save.py, ``_trace_gradient_functions``):
each gradient function is traced once, on the tensors that it gets, and not run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from gradflow.files.saved_model.recomputation import recomputes
from gradflow.tape.op_origins import reached
from gradflow.tape.private_api import gradient_registry

UNTRACEABLE: tuple[bool, ...] = ()
"""Says nothing about any input, as in a file whose record of the gradient is damaged."""


@dataclass(frozen=True, slots=True)
class TracedGradients:
    """What is known of the custom gradients of a graph, by their ``_gradient_op_type``."""

    returned: Mapping[str, tuple[bool, ...]]
    """To which inputs they return a gradient."""
    recomputed: frozenset[str]
    """Those of ``tf.recompute_grad``."""


def traced_gradients(graph: Any, graph_def: Any) -> TracedGradients:
    """Trace the gradients of ``graph``, of which ``graph_def`` is the definition, and of all
    functions that it calls.

    A custom gradient whose function is not registered is left out: the file that it comes from was
    saved without it.
    """
    returned: dict[str, tuple[bool, ...]] = {}
    recomputed: set[str] = set()
    graphs: Mapping[str, Any] | None = None
    for function, node in _wrapped(graph_def):
        kind = node.attr["_gradient_op_type"].s.decode("utf-8", "replace")
        if kind in returned:
            continue
        try:
            gradient = gradient_registry.lookup(kind)
        except LookupError:
            continue
        graphs = graphs if graphs is not None else reached(graph)
        traced = _traced(gradient, graphs, function, node.name)
        returned[kind] = _returned(traced)
        if traced is not None and _recomputes(traced, len(node.input)):
            recomputed.add(kind)
    return TracedGradients(returned, frozenset(recomputed))


def _wrapped(graph_def: Any) -> Iterator[tuple[str, Any]]:
    for name, nodes in [
        ("", graph_def.node),
        *((f.signature.name, f.node_def) for f in graph_def.library.function),
    ]:
        yield from (
            (name, node)
            for node in nodes
            if node.op == "IdentityN" and "_gradient_op_type" in node.attr
        )


def _traced(gradient: Any, graphs: Mapping[str, Any], function: str, name: str) -> Any:
    """Return a gradient as a ConcreteFunction; None where it cannot be traced."""
    if gradient is None:
        return None
    try:
        op = graphs[function].get_operation_by_name(name)
        # Upstream gradients look like the op's outputs, and those like its inputs: it is an
        # identity.
        return tf.function(gradient, autograph=False).get_concrete_function(None, *op.inputs)
    except Exception:  # the user's own Python code, which can raise anything
        return None


def _returned(traced: Any) -> tuple[bool, ...]:
    values = None if traced is None else traced.structured_outputs
    return (
        tuple(value is not None for value in values)
        if isinstance(values, list | tuple)
        else UNTRACEABLE
    )


def _recomputes(traced: Any, count: int) -> bool:
    """Of a file that was loaded, the gradient is a call of the function that was saved."""
    called = (getattr(inner, "function_def", None) for inner in traced.graph._functions.values())
    functions = (traced.function_def, *(function for function in called if function is not None))
    return any(recomputes(function, count) for function in functions)
