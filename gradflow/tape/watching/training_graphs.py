"""Read in the graph of a traced step what it trains, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from gradflow.ops.families import BRANCHES, CALLS, DRAWS_ANEW, RANDOM
from gradflow.tape.op_origins import reached
from gradflow.tape.private_api import EagerTensor, op_def_of

WRITES = ("Assign", "ResourceScatter", "ResourceApply", "ResourceSparseApply")
"""How the types of ops begin that write to a variable."""
_BACKWARD = ("gradient_tape/", "gradients/")
"""Scopes of the ops that a tape and ``tf.gradients`` make."""


class Handles:
    """Finds the eager handle that a tensor of a graph was captured from, through all the graphs
    around it."""

    def __init__(self) -> None:
        self._captured: dict[Any, Mapping[int, Any]] = {}

    def of(self, tensor: Any) -> Any | None:
        """Return the eager handle; None where the tensor is no such one."""
        while not isinstance(tensor, EagerTensor):
            graph = tensor.graph
            if graph not in self._captured:
                captures = getattr(graph, "captures", ())
                self._captured[graph] = {inner._id: outer for outer, inner in captures}
            outer = self._captured[graph].get(tensor._id)
            if outer is None:
                return None
            tensor = outer
        return tensor


def trains(concrete: Any) -> bool:
    """Return whether a trace computes gradients, or changes a variable that is meant to be
    trained."""
    handles = Handles()
    return any(_trains(graph, handles) for graph in reached(concrete.graph).values())


def _trains(graph: Any, handles: Handles) -> bool:
    trainable = _trainable(graph)
    return any(
        _is_backward(op) or _is_write(op, trainable, handles) for op in graph.get_operations()
    )


def written(concrete: Any) -> set[int]:
    """Return the handles of the variables that a trace writes to."""
    handles = Handles()
    outer = (
        handles.of(op.inputs[0])
        for op in _ops(concrete)
        if op.type.startswith(WRITES) and op.inputs
    )
    return {handle._id for handle in outer if handle is not None}


def updates_come_last(concrete: Any) -> bool:
    """Return whether a trace computes no gradient once it has changed a variable that is trained:
    then its gradients are the same without the updates.

    The ops of a graph stand in the order in which the Python code made them.
    """
    graphs = reached(concrete.graph)
    trainable = set[int]().union(*map(_trainable, graphs.values()))
    handles = Handles()

    def events(graph: Any) -> Iterator[bool]:
        """Yield True for an update, and False for what computes a gradient."""
        for op in graph.get_operations():
            if _is_backward(op):
                yield False
            elif _is_write(op, trainable, handles):
                yield True
            elif _function_attrs(op.type):
                inner = [event for called in _called(op, graphs) for event in events(called)]
                yield from inner
                if op.type not in CALLS | BRANCHES and any(inner):
                    yield False  # the next turn of a loop

    is_updated = False
    for is_update in events(concrete.graph):
        if is_updated and not is_update:
            return False
        is_updated |= is_update
    return is_updated


def draws_anew(concrete: Any, traced: Any) -> bool:
    """Return whether ``traced`` draws other random numbers than ``concrete``, the user's own: ops
    with a state of their own do, and those that XLA runs in the user's."""
    op_types = {op.type for op in _ops(traced)}
    if not DRAWS_ANEW.isdisjoint(op_types):
        return True
    calls = [op.node_def for op in _ops(concrete) if op.type in CALLS]
    by_xla = any(node.attr["_XlaMustCompile"].b for node in (concrete.function_def, *calls))
    return by_xla and not RANDOM.isdisjoint(op_types)


def _is_backward(op: Any) -> bool:
    return bool(op.name.startswith(_BACKWARD)) or "/gradient_tape/" in op.name


def _is_write(op: Any, trainable: set[int], handles: Handles) -> bool:
    if not op.type.startswith(WRITES) or not op.inputs:
        return False
    handle = handles.of(op.inputs[0])
    return handle is not None and handle._id in trainable


@cache
def _function_attrs(op_type: str) -> tuple[str, ...]:
    """Return the attrs that name functions which an op of this type calls."""
    op_def = op_def_of(op_type)
    attrs = () if op_def is None else op_def.attr
    return tuple(attr.name for attr in attrs if attr.type in ("func", "list(func)"))


def _called(op: Any, graphs: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the graphs of the functions that an op calls."""
    for name in _function_attrs(op.type):
        value = op.get_attr(name)
        for function in value if isinstance(value, list) else [value]:
            if function.name in graphs:
                yield graphs[function.name]


def _trainable(graph: Any) -> set[int]:
    handles = Handles()
    outer = (
        handles.of(variable.handle)
        for variable in graph.variables
        if getattr(variable, "trainable", False) and variable.dtype.is_floating
    )
    return {handle._id for handle in outer if handle is not None}


def _ops(concrete: Any) -> Iterator[Any]:
    for graph in reached(concrete.graph).values():
        yield from graph.get_operations()
