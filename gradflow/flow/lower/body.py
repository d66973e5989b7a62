"""GraphDef or FunctionDef in, Body out: nodes with resolved inputs and, for each input, how
gradient passes it.

A body is parsed once and instantiated at every call site. Only what the results depend on is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

from gradflow.files.dtypes import VARIANT
from gradflow.flow.graph import Edge, Mark
from gradflow.flow.op_rules import FLOATING, SHAPE_OPS, Arg, OpSpec, Rule, spec

Reference = tuple[int, int]
"""Node index and output index; argument ``i`` of the body is ``(~i, 0)``."""

_EDGES = {Rule.FLOW: Edge.FLOW, Rule.ZERO: Edge.ZERO, Rule.UNKNOWN: Edge.UNKNOWN}
_CALLS = frozenset(
    {"PartitionedCall", "StatefulPartitionedCall", "TPUPartitionedCall", "RemoteCall"}
)
_BRANCHES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
_LOOPS = frozenset({"While", "StatelessWhile"})
_NOTHING: Mapping[str, bool] = MappingProxyType({})


class Form(Enum):
    """How a node is lowered."""

    PLAIN = "plain"
    DIAGONAL = "diagonal"
    """Output i is input i (IdentityN)."""
    CALL = "call"
    BRANCH = "branch"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class BodyNode:
    """One node of a body."""

    name: str
    op: str
    form: Form
    inputs: tuple[Reference, ...]
    passes: tuple[Edge, ...]
    """For each input, how gradient passes to it if its tensor is floating."""
    floating: tuple[bool, ...]
    """For each output, whether its type carries gradient."""
    mark: Mark | int = 0
    functions: tuple[str, ...] = ()
    """Called functions: one, or the branches, or condition and body of a loop."""


@dataclass(frozen=True, slots=True)
class Body:
    """A graph or function, parsed."""

    arguments: tuple[tuple[str, bool], ...]
    """Name and floating-ness of each argument."""
    nodes: tuple[BodyNode, ...]
    results: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """The functions of a graph by name, and op definitions that the op table does not have."""

    functions: Mapping[str, Any]
    op_specs: Mapping[str, OpSpec]
    custom_gradients: Mapping[str, tuple[bool, ...]] | None = None
    """As ``SavedModelContents.custom_gradients``; None where nobody knows what they return."""
    disabled: frozenset[str] = frozenset()
    """Nodes of the graph itself that let no gradient in, whatever their op type does."""

    def spec(self, op: str) -> OpSpec | None:
        """The rule and signature of an op type; None where nobody knows it."""
        return spec(op) or self.op_specs.get(op)


def function_body(library: Library, name: str) -> Body:
    """Parse the function ``name``; its results are the function's outputs in order.

    Raises:
        KeyError: the library has no such function, or it refers to a node that it does not have.
    """
    function = library.functions[name]
    arguments = tuple((arg.name, arg.type in FLOATING) for arg in function.signature.input_arg)
    index = {node.name: number for number, node in enumerate(function.node_def)}
    argument_index = {name: ~number for number, (name, _) in enumerate(arguments)}
    starts: dict[int, dict[str, int]] = {}

    def resolve(text: str) -> Reference:
        parts = text.split(":")
        if len(parts) < 3:
            if parts[0] in argument_index:
                return argument_index[parts[0]], 0
            return index[parts[0]], int(parts[1]) if len(parts) == 2 and parts[1].isdigit() else 0
        number = index[parts[0]]
        if number not in starts:
            starts[number] = output_starts(library, function.node_def[number])
        return number, starts[number].get(parts[1], 0) + int(parts[2])

    results = [resolve(function.ret[arg.name]) for arg in function.signature.output_arg]
    return _parse(library, function.node_def, arguments, resolve, results)


def graph_body(
    library: Library, graph_def: Any, outputs: Iterable[str], fed: Mapping[str, bool] = _NOTHING
) -> Body:
    """Parse a GraphDef's own nodes; ``outputs`` are tensor names such as ``dense/BiasAdd:0``.

    ``fed`` are the tensors that are given, whatever the graph would make them from, with whether
    they carry gradient:
    the arguments of the body.

    Raises:
        KeyError: a name stands for no node.
    """
    index = {node.name: number for number, node in enumerate(graph_def.node)}
    arguments = {_parts(name): ~number for number, name in enumerate(fed)}

    def resolve(text: str) -> Reference:
        name, output = _parts(text)
        return (
            (arguments[name, output], 0) if (name, output) in arguments else (index[name], output)
        )

    return _parse(
        library, graph_def.node, tuple(fed.items()), resolve, [resolve(name) for name in outputs]
    )


def _parts(tensor: str) -> tuple[str, int]:
    name, _, output = tensor.partition(":")
    return name, int(output or 0)


def _parse(
    library: Library,
    nodes: Sequence[Any],
    arguments: tuple[tuple[str, bool], ...],
    resolve: Any,
    results: Sequence[Reference],
) -> Body:
    inputs: dict[int, tuple[Reference, ...]] = {}
    stack = [number for number, _ in results if number >= 0]
    while stack:
        number = stack.pop()
        if number in inputs:
            continue
        inputs[number] = tuple(
            resolve(text) for text in nodes[number].input if not text.startswith("^")
        )
        stack.extend(source for source, _ in inputs[number] if source >= 0)
    kept = sorted(inputs)
    renumbered = {number: place for place, number in enumerate(kept)}

    def move(reference: Reference) -> Reference:
        return renumbered.get(reference[0], reference[0]), reference[1]

    used = {reference for references in inputs.values() for reference in references}.union(results)
    parsed: list[BodyNode] = []
    for number in kept:
        node = _node(
            library,
            nodes[number],
            number,
            tuple(move(reference) for reference in inputs[number]),
            used,
        )
        parsed.append(_without_integer_lists(node, nodes[number], parsed))
    return Body(arguments, tuple(parsed), tuple(move(reference) for reference in results))


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
    library: Library, node: Any, number: int, inputs: tuple[Reference, ...], used: set[Reference]
) -> BodyNode:
    attr = node.attr
    form, types = Form.PLAIN, None
    functions: tuple[str, ...] = ()
    if node.op in _CALLS:
        form, functions, types = Form.CALL, (attr["f"].func.name,), attr["Tout"].list.type
    elif node.op in library.functions:
        signature = library.functions[node.op].signature
        form, functions, types = Form.CALL, (node.op,), [arg.type for arg in signature.output_arg]
    elif node.op in _BRANCHES:
        branches = (
            attr["branches"].list.func
            if "branches" in attr
            else (attr["then_branch"].func, attr["else_branch"].func)
        )
        form, functions, types = (
            Form.BRANCH,
            tuple(function.name for function in branches),
            attr["Tout"].list.type,
        )
    elif node.op in _LOOPS:
        form, functions = Form.LOOP, (attr["cond"].func.name, attr["body"].func.name)
        types = attr["T"].list.type
    if types is not None:
        floating = tuple(kind in FLOATING for kind in types)
        return BodyNode(
            node.name,
            node.op,
            form,
            inputs,
            (Edge.FLOW,) * len(inputs),
            floating,
            functions=functions,
        )
    known = library.spec(node.op)
    if known is None:
        outputs = 1 + max((output for source, output in used if source == number), default=0)
        return BodyNode(
            node.name, node.op, form, inputs, (Edge.UNKNOWN,) * len(inputs), (True,) * outputs
        )
    floating = tuple(kind in FLOATING for arg in known.outputs for kind in _types(arg, known, attr))
    if "element_dtype" in attr and attr["element_dtype"].type not in FLOATING:
        floating = (False,) * len(floating)  # a list of integers is no way for a gradient
    if "_gradient_op_type" in attr:
        passes, mark = _custom_gradient(library, node, number, len(inputs), used)
        return BodyNode(node.name, node.op, form, inputs, passes, floating, mark)
    if node.name in library.disabled:
        return BodyNode(node.name, node.op, form, inputs, (Edge.CUT,) * len(inputs), floating)
    form = Form.DIAGONAL if node.op == "IdentityN" else form
    return BodyNode(node.name, node.op, form, inputs, _passes(known, attr, len(inputs)), floating)


def _passes(known: OpSpec, attr: Any, count: int) -> tuple[Edge, ...]:
    whole = Edge.SHAPE if known.op in SHAPE_OPS else _EDGES.get(known.rule, Edge.CUT)
    if not known.none_inputs and not known.zero_inputs:
        return (whole,) * count
    passes: list[Edge] = []
    for number, arg in enumerate(known.inputs):
        edge = (
            Edge.CUT
            if number in known.none_inputs
            else Edge.ZERO
            if number in known.zero_inputs
            else whole
        )
        passes += [edge] * len(_types(arg, known, attr))
    return tuple(passes[:count]) + (whole,) * (count - len(passes))


def _custom_gradient(
    library: Library, node: Any, number: int, count: int, used: set[Reference]
) -> tuple[tuple[Edge, ...], Mark]:
    """``tf.custom_gradient`` wraps its results, then its arguments, into one IdentityN whose
    gradient goes to the arguments alone (tensorflow/python/ops/custom_gradient.py,
    ``_graph_mode_decorator``).
    """
    if library.custom_gradients is not None:
        kind = node.attr["_gradient_op_type"].s.decode("utf-8", "replace")
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
    returned: Sequence[bool], number: int, used: set[Reference]
) -> tuple[Edge, ...]:
    results = [(number, output) in used for output in range(len(returned))]
    unread = not all(results)
    return tuple(
        Edge.FLOW if gets else Edge.RESULT if unread and is_result else Edge.CUT
        for gets, is_result in zip(returned, results, strict=True)
    )


def output_starts(library: Library, node: Any) -> dict[str, int]:
    """The number of the first tensor of each of a node's output arguments, by the argument's
    name."""
    if node.op in library.functions:
        arguments = library.functions[node.op].signature.output_arg
        return {arg.name: number for number, arg in enumerate(arguments)}
    known = library.spec(node.op)
    starts: dict[str, int] = {}
    at = 0
    for arg in known.outputs if known else ():
        starts[arg.name] = at
        at += len(_types(arg, known, node.attr)) if known else 1
    return starts


def _types(arg: Arg, known: OpSpec, attr: Any) -> Sequence[int]:
    """The data types of the tensors that stand for one argument of an op definition."""
    if arg.type_list_attr:
        return list(attr[arg.type_list_attr].list.type) if arg.type_list_attr in attr else []
    if arg.type_attr:
        kind = (
            attr[arg.type_attr].type
            if arg.type_attr in attr
            else known.defaults.get(arg.type_attr, 0)
        )
    else:
        kind = arg.dtype or 0
    count = 1
    if arg.number_attr:
        count = (
            attr[arg.number_attr].i
            if arg.number_attr in attr
            else known.defaults.get(arg.number_attr, 1)
        )
    return [kind] * count
