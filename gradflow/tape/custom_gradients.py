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

from gradflow.files.saved_model.recomputation import taken_from_outside
from gradflow.ops.families import CALLS
from gradflow.tape.op_origins import reached
from gradflow.tape.private_api import EagerTensor, gradient_registry

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
        if traced is not None and _recomputes(traced, len(node.input), graphs):
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


def _recomputes(traced: Any, count: int, graphs: Mapping[str, Any]) -> bool:
    """Return whether a gradient is that of a plain function, of whose values from outside none
    comes from a weight. Of a file that was loaded, it is a call of the function that was saved."""
    outside = taken_from_outside(traced.function_def, count)
    tensors = list(traced.graph.inputs)
    saved = {item.signature.name: item for item in traced.graph.as_graph_def().library.function}
    for call in traced.graph.get_operations() if outside is None else ():
        if _called(call) in saved and outside is None:
            outside, tensors = taken_from_outside(saved[_called(call)], count), list(call.inputs)
    if outside is None:
        return False
    captured = {id(placeholder): external for external, placeholder in traced.graph.captures}
    externals = [captured.get(id(tensors[number])) for number in outside]
    return not any(_comes_from_weight(external, graphs) for external in externals)


def _comes_from_weight(tensor: Any, graphs: Mapping[str, Any]) -> bool:
    """Return whether a tensor may depend on a variable; followed from a function to its caller."""
    stack, seen = [tensor], set[int]()
    while stack:
        current = stack.pop()
        if current is None or current.dtype == tf.resource:
            return True
        if isinstance(current, EagerTensor) or id(current) in seen:
            continue
        seen.add(id(current))
        if current.op.type == "Placeholder" and current.graph is not graphs[""]:
            stack.append(_fed_by(current, graphs))
        else:
            stack += current.op.inputs
    return False


def _fed_by(placeholder: Any, graphs: Mapping[str, Any]) -> Any:
    """Return what the only call of a function feeds its argument with; None where there is no such
    call."""
    graph = placeholder.graph
    names = [name for name, other in graphs.items() if other is graph]
    numbers = [number for number, tensor in enumerate(graph.inputs) if tensor is placeholder]
    calls = [
        op for other in graphs.values() for op in other.get_operations() if _called(op) in names
    ]
    return calls[0].inputs[numbers[0]] if len(calls) == 1 and numbers else None


def _called(op: Any) -> str | None:
    return op.get_attr("f").name if op.type in CALLS else None
