"""Tell what the gradient functions return that a SavedModel holds for its custom gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradflow.files.dtypes import FLOATING_NAMES, dtype_name
from gradflow.ops.calls import functions_in_attrs
from gradflow.ops.families import SHAPE_OPS
from gradflow.ops.tensor_names import is_control

_COMPILED = "XlaCallModule"
"""A program that TensorFlow hands to a compiler as it stands: nothing shows which of its operands
an output comes from, and JAX writes zeros where nothing of the upstream gradient arrives."""
_NO_WAY = frozenset(SHAPE_OPS | {"ZerosLike"})
_ONES = "OnesLike"


def returned_gradients(graph: Any) -> Iterable[tuple[str, tuple[bool | None, ...]]]:
    """Yield, by its ``_gradient_op_type``, to which inputs a custom gradient returns a gradient.

    None stands where it returns something, and the file does not say whether that is more than
    zeros: a compiled program made it, or nothing but zeros and shapes is seen in it.

    The saved gradient functions return only what is not None; their output signatures know the
    places.
    """
    concrete = graph.object_graph_def.concrete_functions
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    for registered in graph.graph_def.library.registered_gradients:
        name, kind = registered.gradient_func, registered.registered_op_type
        if name not in concrete:
            yield kind, ()
            continue
        signature = concrete[name].output_signature
        values = signature.list_value.values or signature.tuple_value.values
        places = [not value.HasField("none_value") for value in values]
        passing = iter(_passing(functions, name, len(places)))
        yield kind, tuple(next(passing, True) if is_there else False for is_there in places)


def _passing(functions: Mapping[str, Any], name: str, count: int) -> list[bool | None]:
    """Return, for each value that a gradient function returns, whether it is known to be made of
    one of the first ``count`` arguments, the upstream gradients, or of a number other than 0."""
    function = functions.get(name)
    if function is None:
        return []
    upstream = {arg.name for arg in function.signature.input_arg[:count]}
    nodes = {node.name: node for node in function.node_def}
    passing: list[bool | None] = []
    for result in function.signature.output_arg:
        seen: set[str] = set()
        stack = [function.ret[result.name]]
        has_number = False
        while stack:
            tensor = stack.pop()
            node = nodes.get(tensor.partition(":")[0])
            if tensor in seen or (node is not None and _is_no_way(functions, node)):
                continue
            seen.add(tensor)
            if node is not None:
                has_number |= _is_number(node)
                stack += _sources(node, tensor)
        passing.append(True if has_number or seen & upstream else None)
    return passing


def _is_number(node: Any) -> bool:
    """Whether a node gives floating numbers that are not all 0, whatever it is given."""
    if node.op != "Const":
        return bool(node.op == _ONES)
    tensor = node.attr["value"].tensor
    return dtype_name(tensor.dtype) in FLOATING_NAMES and (
        any(tensor.tensor_content) or any(tensor.float_val) or any(tensor.double_val)
    )


def _sources(node: Any, tensor: str) -> list[str]:
    """Return the tensors that ``tensor``, an output of ``node``, is made of."""
    inputs = [name for name in node.input if not is_control(name)]
    number = tensor.rpartition(":")[2]
    is_one_of_many = node.op == "IdentityN" and number.isdecimal()
    return inputs[int(number) : int(number) + 1] if is_one_of_many else inputs


def _is_no_way(functions: Mapping[str, Any], node: Any) -> bool:
    """Whether no gradient is known to pass a node."""
    if node.op in _NO_WAY or node.op == _COMPILED:
        return True
    called = {node.op, *functions_in_attrs(node)} & functions.keys()
    return any(inner.op == _COMPILED for callee in called for inner in functions[callee].node_def)
