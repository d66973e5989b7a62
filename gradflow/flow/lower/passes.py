"""Say how gradient passes each input of a node whose op type is known."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from gradflow.flow.graph import Edge, Mark
from gradflow.flow.lower.library import Library, dtypes_of
from gradflow.flow.lower.references import Reference
from gradflow.flow.op_rules import OpSpec, Rule, spec
from gradflow.ops.families import SHAPE_OPS

_EDGES = {Rule.FLOW: Edge.FLOW, Rule.ZERO: Edge.ZERO, Rule.UNKNOWN: Edge.UNKNOWN}


def passes_by_rule(op_spec: OpSpec, attr: Any, count: int) -> tuple[Edge, ...]:
    """Return the edges of a node's ``count`` inputs, as the op table has them."""
    usual = Edge.SHAPE if op_spec.op in SHAPE_OPS else _EDGES.get(op_spec.rule, Edge.CUT)
    if not op_spec.none_inputs and not op_spec.zero_inputs:
        return (usual,) * count
    passes: list[Edge] = []
    for number, arg in enumerate(op_spec.inputs):
        edge = usual
        if number in op_spec.none_inputs:
            edge = Edge.CUT
        elif number in op_spec.zero_inputs:
            edge = Edge.ZERO
        passes += [edge] * len(dtypes_of(arg, op_spec, attr))
    return tuple(passes[:count]) + (usual,) * (count - len(passes))


def passes_by_custom_gradient(
    library: Library, node: Any, number: int, count: int, used: Set[Reference]
) -> tuple[tuple[Edge, ...], Mark]:
    """Return the edges of the ``count`` inputs of an op that carries a gradient of its own.

    That is the gradient of another op type, or one of the user's on an IdentityN:

    ``tf.custom_gradient`` wraps its results, then its arguments, into one IdentityN whose gradient
    goes to the arguments alone (tensorflow/python/ops/custom_gradient.py,
    ``_graph_mode_decorator``). ``number`` is that of the node, ``used`` are the tensors of its body
    that somebody reads.
    """
    kind = node.attr["_gradient_op_type"].s.decode("utf-8", "replace")
    borrowed = spec(kind)
    if borrowed is not None:  # gradient_override_map({"Round": "Identity"})
        return passes_by_rule(borrowed, node.attr, count), Mark.CUSTOM
    if library.custom_gradients is not None:
        if kind not in library.custom_gradients:
            return (Edge.CUT,) * count, Mark.CUSTOM | Mark.LOST
        returned = library.custom_gradients[kind]
        if len(returned) == count:
            return _of_results_and_arguments(returned, number, used), Mark.CUSTOM
    # Nobody reads the outputs that stand for arguments: so a result is an output that is read.
    read = [(number, output) in used for output in range(count)]
    if all(read):
        return (Edge.FLOW,) * count, Mark.CUSTOM
    return tuple(Edge.RESULT if is_result else Edge.FLOW for is_result in read), Mark.CUSTOM


def _of_results_and_arguments(
    returned: Sequence[bool | None], number: int, used: Set[Reference]
) -> tuple[Edge, ...]:
    results = [(number, output) in used for output in range(len(returned))]
    has_arguments = not all(results)
    return tuple(
        _edge(gets, Edge.RESULT if has_arguments and is_result else Edge.CUT)
        for gets, is_result in zip(returned, results, strict=True)
    )


def _edge(gets: bool | None, otherwise: Edge) -> Edge:
    if gets is None:
        return Edge.UNKNOWN
    return Edge.FLOW if gets else otherwise
