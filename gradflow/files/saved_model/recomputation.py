"""Tell the gradient function of ``tf.recompute_grad`` from any other custom gradient.

``tf.recompute_grad`` (``keras.remat`` calls it) runs a function once more in the backward pass, and
differentiates it there: it passes gradient just as the plain function would. Its gradient function
is known by what it does first (tensorflow/python/ops/custom_gradient.py, TensorFlow 2.16 to 2.21):
it adds to each argument a zero that depends on the upstream gradient, so that the function is not
run before that is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradflow.files.dtypes import FLOATING_NAMES, dtype_name
from gradflow.ops.families import SUMS


def recomputes(function: Any, count: int) -> bool:
    """Return whether a gradient function recomputes all that its forward pass computed, of its
    arguments alone; see ``taken_from_outside``."""
    return taken_from_outside(function, count) == ()


def taken_from_outside(function: Any, count: int) -> tuple[int, ...] | None:
    """Return the floating tensors that a function which is recomputed took other than by an
    argument: they get no gradient.

    Args:
        function: the FunctionDef of its gradient.
        count: how many upstream gradients it takes; what it captured follows.

    Returns:
        Numbers of arguments of ``function``; None where it is of no ``tf.recompute_grad``.
    """
    nodes = {node.name: node for node in function.node_def}
    captured = {arg.name: arg.type for arg in function.signature.input_arg[count:]}
    arguments: set[str] = set()
    for node in function.node_def:
        if node.op in SUMS and _is_late_zero(nodes, _input(node, 1)):
            source = nodes.get(_input(node, 0))
            if source is not None and source.op == "Identity" and _input(source, 0) in captured:
                arguments.add(_input(source, 0))
    if not arguments:
        return None
    return tuple(
        number
        for number, (name, kind) in enumerate(captured.items(), count)
        if name not in arguments and dtype_name(kind) in FLOATING_NAMES
    )


def _is_late_zero(nodes: Mapping[str, Any], name: str) -> bool:
    """Return whether what a node gives is 0 where an upstream gradient equals itself, else NaN."""
    node = nodes.get(name)
    if node is not None and node.op == "Cast":
        node = nodes.get(_input(node, 0))
    if node is None or node.op != "SelectV2":
        return False
    compared, *values = (nodes.get(_input(node, number)) for number in range(3))
    return (
        compared is not None
        and compared.op == "Equal"
        and _input(compared, 0) == _input(compared, 1)
        and all(value is not None and value.op == "Const" for value in values)
    )


def _input(node: Any, number: int) -> str:
    """Return the node or argument that makes an input; empty where there is none."""
    return node.input[number].split(":")[0] if number < len(node.input) else ""
