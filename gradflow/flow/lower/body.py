"""Parse a GraphDef or FunctionDef into a Body: what its results depend on, and how gradient passes.

A body is parsed once and laid out at every call. Only what the results depend on is kept.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence, Set
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any

from gradflow.files.dtypes import VARIANT
from gradflow.files.saved_model.schema import attribute
from gradflow.flow.graph import Edge, Mark
from gradflow.flow.lower.body_node import BodyNode, Form
from gradflow.flow.lower.by_entries import argument_shapes, by_entries
from gradflow.flow.lower.library import Library, dtypes_of
from gradflow.flow.lower.passes import passes_by_custom_gradient, passes_by_rule
from gradflow.flow.lower.pieces import Shape
from gradflow.flow.lower.references import (
    Reference,
    Resolver,
    function_resolver,
    graph_resolver,
)
from gradflow.flow.lower.writes import Run, reads_after, run_for, writers
from gradflow.flow.op_rules import FLOATING, OpSpec, Rule
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.calls import callees
from gradflow.ops.families import ASSIGNMENTS, BRANCHES, CALLS, LOOPS, PLAIN_READS, SHIFTS
from gradflow.ops.tensor_names import is_control

_RAISING = (Rule.UNREGISTERED, Rule.DISABLED)
_NONE_FED: Mapping[str, bool] = MappingProxyType({})


_FORMS: Mapping[str, tuple[Form, str]] = {
    # Not REMOTE_CALLS: TensorFlow registers no gradient for them (2.16.1 to 2.21).
    **dict.fromkeys(CALLS, (Form.CALL, "Tout")),
    **dict.fromkeys(BRANCHES, (Form.BRANCH, "Tout")),
    **dict.fromkeys(LOOPS, (Form.LOOP, "T")),
}
"""The form of each op type that calls functions, and its attr with the types of its outputs."""


@dataclass(frozen=True, slots=True)
class Body:
    """A graph or function, parsed."""

    arguments: tuple[tuple[str, bool], ...]
    """Name of each argument, and whether its type carries gradient."""
    nodes: tuple[BodyNode, ...]
    results: tuple[Reference, ...]
    idle: Mapping[str, str] = field(default_factory=dict)
    """By the name of an argument or a placeholder, a sum that is not used, where nothing else that
    is not used takes its value."""
    copies: Mapping[int, int] = field(default_factory=dict)
    """For each node that stands for the same op as an earlier one, for another part of what it
    gives, the earlier one."""


def function_body(library: Library, name: str) -> Body:
    """Parse the function ``name``; its results are the function's outputs in order.

    Raises:
        KeyError: the library has no such function, or it refers to a node that it does not have.
    """
    function = library.functions[name]
    arguments = tuple((arg.name, arg.type in FLOATING) for arg in function.signature.input_arg)
    resolve = function_resolver(library, function)
    results = [resolve(function.ret[arg.name]) for arg in function.signature.output_arg]
    run = Run(writers(function.node_def, library.functions, library.writing), frozenset())
    inner = replace(library, unrecorded=frozenset())
    shapes = argument_shapes(function) if library.by_entries else ()
    return _parse(inner, function.node_def, arguments, resolve, results, run=run, shapes=shapes)


def graph_body(
    library: Library,
    graph_def: Any,
    outputs: Iterable[str],
    fed: Mapping[str, bool] = _NONE_FED,
    *,
    runs_all: bool = False,
) -> Body:
    """Parse a GraphDef's own nodes; ``outputs`` are tensor names such as ``dense/BiasAdd:0``.

    ``fed`` names the tensors that are the arguments of the body, whatever the graph would make them
    from, each with whether it carries gradient. ``runs_all``: whether a call runs every op of the
    graph that writes to a variable, and not only those that its outputs depend on or wait for.

    Raises:
        KeyError: a name stands for no node.
    """
    resolve = graph_resolver(graph_def, fed)
    results = [resolve(name) for name in outputs]
    writing = writers(graph_def.node, library.functions, library.writing)
    run = Run(writing, frozenset())
    if writing and not runs_all:
        given = [name.partition(":")[0] for name in fed]
        starts = [number for number, _ in results if number >= 0]
        run = run_for(graph_def.node, writing, starts, given)
    arguments = tuple(fed.items())
    return _parse(library, graph_def.node, arguments, resolve, results, run=run)


def _parse(
    library: Library,
    nodes: Sequence[Any],
    arguments: tuple[tuple[str, bool], ...],
    resolve: Resolver,
    results: Sequence[Reference],
    *,
    run: Run,
    shapes: Sequence[Shape | None] = (),
) -> Body:
    inputs = _needed(nodes, resolve, results, run.writing)
    reads = reads_after(nodes, inputs, run.writing, library.functions)
    numbers = sorted(inputs)
    renumbered = {number: index for index, number in enumerate(numbers)}

    def move(reference: Reference) -> Reference:
        return renumbered.get(reference[0], reference[0]), reference[1]

    used = {reference for references in inputs.values() for reference in references}.union(results)
    parsed: list[BodyNode] = []
    for number in numbers:
        moved = tuple(move(reference) for reference in inputs[number])
        node = _node(library, nodes[number], number, moved, used)
        if node.name in library.unrecorded:
            node = _unrecorded(node)
        if number in reads.later or number in reads.overwritten:
            node = replace(
                node,
                read_later=reads.later.get(number, frozenset()),
                reads_overwritten=number in reads.overwritten,
            )
        if number in run.conditional:
            node = replace(node, is_conditional=True)
        parsed.append(_without_integer_lists(node, nodes[number], parsed))
    moved_results = tuple(move(reference) for reference in results)
    idle = _idle(nodes, inputs)
    if not library.by_entries:
        return Body(arguments, tuple(parsed), moved_results, idle)
    laid_out = by_entries(parsed, [nodes[number] for number in numbers], shapes, moved_results)
    return Body(arguments, tuple(laid_out.nodes), tuple(laid_out.results), idle, laid_out.copies)


def _needed(
    nodes: Sequence[Any], resolve: Resolver, results: Sequence[Reference], writing: Sequence[int]
) -> dict[int, tuple[Reference, ...]]:
    """Return the inputs of each node that ``results`` or the nodes ``writing`` depend on, by the
    node's number."""
    inputs: dict[int, tuple[Reference, ...]] = {}
    stack = [*writing, *(number for number, _ in results if number >= 0)]
    while stack:
        number = stack.pop()
        if number in inputs:
            continue
        inputs[number] = tuple(
            resolve(tensor) for tensor in nodes[number].input if not is_control(tensor)
        )
        stack.extend(source for source, _ in inputs[number] if source >= 0)
    return inputs


def _idle(nodes: Sequence[Any], needed: Container[int]) -> dict[str, str]:
    """Return, by the name of what is added there alone, a sum that no result depends on."""
    reads = {
        node.name: node.input[0].partition(":")[0]
        for node in nodes
        if node.op in PLAIN_READS and node.input
    }
    idle: dict[str, str] = {}
    other: set[str] = set()
    for number, node in enumerate(nodes):
        if number in needed or node.op in PLAIN_READS:
            continue
        for tensor in node.input:
            source = tensor.partition(":")[0]
            source = reads.get(source, source)
            idle.setdefault(source, node.name)
            other |= {source} if node.op not in SHIFTS else set()
    return {source: name for source, name in idle.items() if source not in other}


def _without_integer_lists(node: BodyNode, node_def: Any, before: Sequence[BodyNode]) -> BodyNode:
    """A list of tensors is a variant, whatever is in it: one that is passed on is floating where it
    was before."""
    if node.form is Form.LOOP:
        types = node_def.attr["T"].list.type
    elif node.op == "Identity":
        types = [node_def.attr["T"].type]
    else:
        return node
    floating = tuple(
        kind
        and (dtype != VARIANT or not 0 <= source < len(before) or before[source].floating[output])
        for kind, dtype, (source, output) in zip(node.floating, types, node.inputs, strict=True)
    )
    return replace(node, floating=floating)


def _node(
    library: Library, node: Any, number: int, inputs: tuple[Reference, ...], used: Set[Reference]
) -> BodyNode:
    """Parse one node; ``used`` are the tensors of its body that somebody reads."""
    if node.op in library.functions:
        dtypes = [arg.type for arg in library.functions[node.op].signature.output_arg]
        return _calling(library, node, Form.CALL, inputs, dtypes)
    if node.op in _FORMS:
        form, types_attr = _FORMS[node.op]
        return _calling(library, node, form, inputs, attribute(node, types_attr).list.type)
    if node.op in ASSIGNMENTS:
        return BodyNode(
            name=node.name,
            op=node.op,
            form=Form.WRITE,
            inputs=inputs,
            passes=(Edge.CUT,) * len(inputs),
            floating=(True,),  # stands for the value that reads of the variable bring afterwards
            mark=Mark.WRITES,
        )
    op_spec = library.spec(node.op)
    if op_spec is None:
        count = 1 + max((output for source, output in used if source == number), default=0)
        return BodyNode(
            name=node.name,
            op=node.op,
            form=Form.PLAIN,
            inputs=inputs,
            passes=(Edge.UNKNOWN,) * len(inputs),
            floating=(True,) * count,
        )
    has_own_gradient = "_gradient_op_type" in node.attr and not _is_recomputed(library, node)
    if has_own_gradient:
        passes, mark = passes_by_custom_gradient(library, node, number, len(inputs), used)
    else:
        passes, mark = _passes(library, op_spec, node, len(inputs)), Mark(0)
    is_diagonal = node.op == "IdentityN" and not has_own_gradient
    return BodyNode(
        name=node.name,
        op=node.op,
        form=Form.DIAGONAL if is_diagonal and node.name not in library.disabled else Form.PLAIN,
        inputs=inputs,
        passes=passes,
        floating=_floating_outputs(op_spec, node.attr),
        mark=mark,
        raises=_raises(library, op_spec, node, mark),
    )


def _unrecorded(node: BodyNode) -> BodyNode:
    """Return a node as a tape knows it that was not recording: what it gives has no origin."""
    return replace(
        node,
        form=Form.PLAIN,
        passes=(Edge.CUT,) * len(node.inputs),
        mark=Mark.UNRECORDED,
        callees=(),
        raises=False,
    )


def _is_recomputed(library: Library, node: Any) -> bool:
    kind = node.attr["_gradient_op_type"].s.decode("utf-8", "replace")
    return kind in library.recomputed


def _calling(
    library: Library,
    node: Any,
    form: Form,
    inputs: tuple[Reference, ...],
    output_dtypes: Sequence[int],
) -> BodyNode:
    return BodyNode(
        name=node.name,
        op=node.op,
        form=form,
        inputs=inputs,
        passes=(Edge.FLOW,) * len(inputs),
        floating=tuple(dtype in FLOATING for dtype in output_dtypes),
        callees=callees(node, library.functions),
    )


def _floating_outputs(op_spec: OpSpec, attr: Any) -> tuple[bool, ...]:
    floating = tuple(
        dtype in FLOATING for arg in op_spec.outputs for dtype in dtypes_of(arg, op_spec, attr)
    )
    if "element_dtype" in attr and attr["element_dtype"].type not in FLOATING:
        return (False,) * len(floating)  # a list of integers is no way for a gradient
    return floating


def _raises(library: Library, op_spec: OpSpec, node: Any, mark: Mark) -> bool:
    if mark & Mark.CUSTOM:
        return bool(mark & Mark.LOST) and node.op == "IdentityN"
    return op_spec.rule in _RAISING and node.name not in library.disabled


def _passes(library: Library, op_spec: OpSpec, node: Any, count: int) -> tuple[Edge, ...]:
    """Return how gradient passes the ``count`` inputs of a node of a known op type."""
    if node.name in library.disabled:
        return (Edge.CUT,) * count
    return passes_by_rule(op_spec, node.attr, count)
