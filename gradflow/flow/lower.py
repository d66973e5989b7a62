"""Bodies in, FlowGraph out: every call, branch and loop laid out, so that one walk sees through all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gradflow.errors import UnreadableError
from gradflow.flow.body import Body, BodyNode, Form, Library, Reference, function_body, graph_body
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder, Mark
from gradflow.flow.rules import spec, spec_from_op_def

MAX_NODES = 20_000_000
"""Beyond this a graph is refused: functions that call each other can multiply without end."""

_Value = int
"""A tensor: twice its node, plus one where its type carries gradient."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A function still to be laid out, and the nodes that wait for its results."""

    function: str
    arguments: Sequence[_Value]
    results: Sequence[int]
    kinds: Sequence[Edge]
    hub: int | None
    prefix: str
    chain: tuple[Any, ...]


@dataclass(slots=True)
class _Layout:
    library: Library
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    bodies: dict[str, Body] = field(default_factory=dict)
    pending: list[_Call] = field(default_factory=list)


def library_of(graph_def: Any, op_defs: Sequence[Any] = ()) -> Library:
    """Collect the functions of a GraphDef, and the file's own definitions of ops that the table does not know."""
    functions = {function.signature.name: function for function in graph_def.library.function}
    unknown = [op_def for op_def in op_defs if spec(op_def.name) is None]
    return Library(functions, {op_def.name: spec_from_op_def(op_def) for op_def in unknown})


def lower_function(
    library: Library,
    function: str,
    variables: Mapping[int, str],
    selected: Sequence[int] | None = None,
) -> FlowGraph:
    """Lay out a function.

    Args:
        library: where it and all that it calls is found.
        function: its name.
        variables: key of the variable that each bound argument stands for, by argument index.
        selected: indexes of the outputs that count; all of them by default.

    Raises:
        UnreadableError: it calls a function that is not there, or itself, or grows beyond ``MAX_NODES``.
    """
    layout = _Layout(library)
    with _damage_named():
        body = _body(layout, function)
        arguments = [_value(layout.builder.node(name, "_Arg"), floating) for name, floating in body.arguments]
        results = _instantiate(layout, body, arguments, "", (function, None))
        _drain(layout)
    keys: dict[str, int] = {}
    for index, key in variables.items():
        node = arguments[index] >> 1
        if key in keys:  # one variable captured twice
            layout.builder.edge(keys[key], node, Edge.FLOW)
        else:
            keys[key] = node
    return _finish(layout, keys, results, selected)


def lower_graph(
    library: Library,
    graph_def: Any,
    outputs: Sequence[str],
    variables: Mapping[str, str],
    selected: Sequence[int] | None = None,
) -> FlowGraph:
    """Lay out a GraphDef from the tensors ``outputs``; ``variables`` maps node names to the variables' keys.

    Raises:
        UnreadableError: as ``lower_function``, and where an output is not in the graph.
    """
    layout = _Layout(library)
    nodes: dict[str, int] = {}
    with _damage_named():
        body = graph_body(library, graph_def, outputs)
        results = _instantiate(layout, body, [], "", ("", None), nodes)
        _drain(layout)
    keys: dict[str, int] = {}
    for name, key in variables.items():
        node = nodes.get(name)
        if node is None:
            node = layout.builder.node(name, "_Arg")  # captured, but no selected output depends on it
        if key in keys:
            layout.builder.edge(keys[key], node, Edge.FLOW)
        else:
            keys[key] = node
    return _finish(layout, keys, results, selected)


@contextmanager
def _damage_named() -> Iterator[None]:
    """A reference to a node, an output or an attribute that is not there means a damaged file."""
    try:
        yield
    except (KeyError, IndexError, ValueError) as error:
        raise UnreadableError(
            f"the graph refers to something that it does not have ({error})",
            "the file is damaged: save the model again",
        ) from error


def _finish(
    layout: _Layout, variables: Mapping[str, int], results: Sequence[_Value], selected: Sequence[int] | None
) -> FlowGraph:
    chosen = range(len(results)) if selected is None else selected
    outputs = [results[index] for index in chosen]
    return layout.builder.build(
        variables,
        outputs=list(dict.fromkeys(value >> 1 for value in outputs if value & 1)),
        discrete_outputs=list(dict.fromkeys(value >> 1 for value in outputs if not value & 1)),
        filled_outputs=list(dict.fromkeys(value >> 1 for value in results if value & 1)),
    )


def _drain(layout: _Layout) -> None:
    builder = layout.builder
    while layout.pending:
        call = layout.pending.pop()
        _refuse_recursion(call)
        body = _body(layout, call.function)
        results = _instantiate(layout, body, call.arguments, call.prefix, (call.function, call.chain))
        for value, consumer, kind in zip(results, call.results, call.kinds, strict=False):
            builder.edge(value >> 1, consumer, kind if value & 1 else Edge.DISCRETE)
            if call.hub is not None and value & 1:
                builder.edge(value >> 1, call.hub, Edge.FILL)
        if len(builder.names) > MAX_NODES:
            raise UnreadableError(
                f"the graph grows beyond {MAX_NODES:,} nodes when its functions are laid out",
                "its functions call each other too often to be analysed",
            )


def _refuse_recursion(call: _Call) -> None:
    link: Any = call.chain
    while link is not None:
        if link[0] == call.function:
            raise UnreadableError(
                f"function {call.function!r} calls itself", "TensorFlow cannot differentiate recursive functions"
            )
        link = link[1]


def _body(layout: _Layout, function: str) -> Body:
    if function not in layout.bodies:
        if function not in layout.library.functions:
            raise UnreadableError(
                f"the graph calls function {function!r}, which is not in the file",
                "the file is damaged: save the model again",
            )
        layout.bodies[function] = function_body(layout.library, function)
    return layout.bodies[function]


def _instantiate(
    layout: _Layout,
    body: Body,
    arguments: Sequence[_Value],
    prefix: str,
    chain: tuple[Any, ...],
    nodes: dict[str, int] | None = None,
) -> list[_Value]:
    """Add one copy of ``body`` to the graph and return its results."""
    builder = layout.builder
    outputs = [_allocate(builder, node, prefix) for node in body.nodes]

    def value(reference: Reference) -> _Value:
        number, output = reference
        if number < 0:
            return arguments[~number]
        return outputs[number][output]

    for node, mine in zip(body.nodes, outputs, strict=True):
        if nodes is not None and mine:
            nodes[node.name] = mine[0] >> 1
        inputs = [value(reference) for reference in node.inputs]
        if node.form is Form.PLAIN:
            _connect(builder, node, inputs, mine)
        elif node.form is Form.DIAGONAL:
            for source, target in zip(inputs, mine, strict=False):
                builder.edge(source >> 1, target >> 1, _kind(source, Edge.FLOW))
            _fill(builder, node, mine, inputs)
        elif node.form is Form.CALL:
            _call(layout, node, inputs, mine, prefix, chain)
        elif node.form is Form.BRANCH:
            _branch(layout, node, inputs, mine, prefix, chain)
        else:
            _loop(layout, node, inputs, mine, prefix, chain)
    return [value(reference) for reference in body.results]


def _allocate(builder: GraphBuilder, node: BodyNode, prefix: str) -> list[_Value]:
    """The node's outputs: one graph node for an op, one an output where outputs are passed on one by one."""
    if not node.floating:
        return []
    mark = node.mark | (Mark.CONTROLLED if prefix else 0)  # only branches and loops prefix the names inside them
    if node.form is Form.PLAIN:
        number = builder.node(prefix + node.name, node.op, mark)
        return [_value(number, floating) for floating in node.floating]
    return [_value(builder.node(prefix + node.name, node.op, mark), floating) for floating in node.floating]


def _connect(builder: GraphBuilder, node: BodyNode, inputs: Sequence[_Value], outputs: Sequence[_Value]) -> None:
    if not outputs:
        return
    consumer = outputs[0] >> 1
    for source, passes in zip(inputs, node.passes, strict=True):
        builder.edge(source >> 1, consumer, _kind(source, passes))


def _fill(builder: GraphBuilder, node: BodyNode, outputs: Sequence[_Value], sources: Sequence[_Value]) -> int | None:
    """Where one output gets gradient, TensorFlow hands zeros to the others: a node that stands for that."""
    if sum(value & 1 for value in outputs) == 0:
        return None
    hub = builder.node("", node.op)
    for value in outputs:
        if value & 1:
            builder.edge(hub, value >> 1, Edge.FILL)
    for value in sources:
        if value & 1:
            builder.edge(value >> 1, hub, Edge.FILL)
    return hub


def _call(
    layout: _Layout,
    node: BodyNode,
    inputs: Sequence[_Value],
    outputs: Sequence[_Value],
    prefix: str,
    chain: tuple[Any, ...],
) -> None:
    hub = _fill(layout.builder, node, outputs, ())
    results = [value >> 1 for value in outputs]
    layout.pending.append(_Call(node.functions[0], inputs, results, [Edge.FLOW] * len(results), hub, prefix, chain))


def _branch(
    layout: _Layout,
    node: BodyNode,
    inputs: Sequence[_Value],
    outputs: Sequence[_Value],
    prefix: str,
    chain: tuple[Any, ...],
) -> None:
    hub = _fill(layout.builder, node, outputs, ())
    results = [value >> 1 for value in outputs]
    for value in outputs:
        layout.builder.edge(inputs[0] >> 1, value >> 1, _kind(inputs[0], Edge.CUT))
    names = ("then", "else") if len(node.functions) == 2 and "If" in node.op else range(len(node.functions))
    for place, function in zip(names, node.functions, strict=True):
        inner = f"{prefix}{node.name}/{place if isinstance(place, str) else f'branch{place}'}/"
        kinds = [Edge.FLOW] * len(results)
        layout.pending.append(_Call(function, inputs[1:], results, kinds, hub, inner, chain))


def _loop(
    layout: _Layout,
    node: BodyNode,
    inputs: Sequence[_Value],
    outputs: Sequence[_Value],
    prefix: str,
    chain: tuple[Any, ...],
) -> None:
    """A loop variable is fed by its initial value and by the body's result, and feeds the body and the output."""
    builder = layout.builder
    carried = [_value(builder.node(f"{prefix}{node.name}", node.op), bool(value & 1)) for value in outputs]
    for initial, variable, output in zip(inputs, carried, outputs, strict=True):
        builder.edge(initial >> 1, variable >> 1, _kind(initial, Edge.FLOW))
        builder.edge(variable >> 1, output >> 1, _kind(variable, Edge.FLOW))
    _fill(builder, node, outputs, carried)
    condition, body = node.functions
    here = f"{prefix}{node.name}"
    predicate = builder.node(here, node.op)
    for variable in carried:
        builder.edge(predicate, variable >> 1, Edge.DISCRETE)
    layout.pending.append(_Call(condition, carried, [predicate], [Edge.CUT], None, f"{here}/cond/", chain))
    kinds = [Edge.FLOW] * len(carried)
    targets = [value >> 1 for value in carried]
    layout.pending.append(_Call(body, carried, targets, kinds, None, f"{here}/body/", chain))


def _kind(value: _Value, passes: Edge) -> Edge:
    return passes if value & 1 else Edge.DISCRETE


def _value(node: int, floating: bool) -> _Value:
    return 2 * node + int(floating)
