"""Bodies in, nodes and edges out: every call, branch and loop laid out where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradflow.errors import UnreadableError
from gradflow.flow.graph import Edge, GraphBuilder, Mark
from gradflow.flow.lower.body import Body, BodyNode, Form, Library, Reference, function_body

MAX_NODES = 5_000_000
"""Beyond this a graph is refused: functions that call each other can multiply without end."""

Value = int
"""A tensor: twice its node, plus one where its type carries gradient."""

Place = tuple[str, str, str]
"""Where a node stands: the calls that lead to its copy of a body, its name there, and which of its
nodes it is."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A function still to be laid out, and the nodes that wait for its results."""

    function: str
    arguments: Sequence[Value]
    results: Sequence[Value]
    hub: int | None
    prefix: str
    place: str
    chain: tuple[Any, ...]


@dataclass(slots=True)
class Layout:
    """A graph that grows: what is built, and the calls that still have to be laid out."""

    library: Library
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    bodies: dict[str, Body] = field(default_factory=dict)
    pending: list[_Call] = field(default_factory=list)
    places: dict[Place, int] | None = None
    """Filled where given: a replay finds the node of what it runs by its place."""


@dataclass(frozen=True, slots=True)
class _Site:
    """One node in one copy of its body, with the tensors that it takes and gives."""

    layout: Layout
    node: BodyNode
    inputs: Sequence[Value]
    outputs: Sequence[Value]
    prefix: str
    place: str
    chain: tuple[Any, ...]

    def call(
        self,
        function: str,
        arguments: Sequence[Value],
        results: Sequence[Value],
        hub: int | None,
        part: str = "",
    ) -> None:
        """Have ``function`` laid out later, its results feeding the nodes of ``results``.

        ``part`` names the branch, body or condition that it is.
        """
        prefix = f"{self.prefix}{self.node.name}/{part}/" if part else self.prefix
        inner = inner_place(self.place, self.node.name, part)
        self.layout.pending.append(
            _Call(function, arguments, results, hub, prefix, inner, self.chain)
        )

    def passing(self, name: str, part: str, floating: Sequence[bool], mark: Mark) -> list[Value]:
        """One node a tensor that only passes it on: the results of a branch, the variables of a
        loop."""
        layout = self.layout
        values = []
        for number, kind in enumerate(floating):
            value = pack(layout.builder.node(self.prefix + name, self.node.op, mark), kind)
            if layout.places is not None:
                layout.places[self.place, self.node.name, f"{part}:{number}"] = value >> 1
            values.append(value)
        return values


def drain(layout: Layout) -> None:
    """Lay out all calls that are pending, and those that they bring.

    Raises:
        UnreadableError: a function is missing, calls itself, or the graph grows beyond
        ``MAX_NODES``. KeyError, IndexError, ValueError: the graph is damaged.
    """
    builder = layout.builder
    while layout.pending:
        call = layout.pending.pop()
        _refuse_recursion(call)
        body = body_of(layout, call.function)
        results = instantiate(
            layout, body, call.arguments, call.prefix, call.place, (call.function, call.chain)
        )
        for value, waiting in zip(results, call.results, strict=True):
            # A condition that is a floating number decides all the same: it passes no gradient.
            builder.edge(
                value >> 1, waiting >> 1, _kind(value, Edge.FLOW if waiting & 1 else Edge.CUT)
            )
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
                f"function {call.function!r} calls itself",
                "TensorFlow cannot differentiate recursive functions",
            )
        link = link[1]


def body_of(layout: Layout, function: str) -> Body:
    """The parsed body of ``function``; parsed once, however often it is called."""
    if function not in layout.bodies:
        if function not in layout.library.functions:
            raise UnreadableError(
                f"the graph calls function {function!r}, which is not in the file",
                "the file is damaged: save the model again",
            )
        layout.bodies[function] = function_body(layout.library, function)
    return layout.bodies[function]


def instantiate(
    layout: Layout,
    body: Body,
    arguments: Sequence[Value],
    prefix: str,
    place: str,
    chain: tuple[Any, ...],
    nodes: dict[str, int] | None = None,
) -> list[Value]:
    """Add one copy of ``body`` to the graph and return its results."""
    layout.builder.function = chain[0]
    outputs = [_allocate(layout, node, prefix, place) for node in body.nodes]

    def value(reference: Reference) -> Value:
        number, output = reference
        if number < 0:
            return arguments[~number]
        return outputs[number][output]

    for node, mine in zip(body.nodes, outputs, strict=True):
        if nodes is not None and mine:
            nodes[node.name] = mine[0] >> 1
        inputs = [value(reference) for reference in node.inputs]
        _FORMS[node.form](_Site(layout, node, inputs, mine, prefix, place, chain))
    return [value(reference) for reference in body.results]


def inner_place(place: str, name: str, part: str) -> str:
    """The place of what a call, branch or loop called ``name`` holds."""
    return f"{place}>{name}>{part}"


def _allocate(layout: Layout, node: BodyNode, prefix: str, place: str) -> list[Value]:
    """The node's outputs: one graph node for an op, one an output where outputs are passed on one
    by one."""
    if not node.floating:
        return []
    # Only branches and loops prefix the names inside them.
    mark = node.mark | (Mark.CONTROLLED if prefix else 0)
    numbers = [layout.builder.node(prefix + node.name, node.op, mark)]
    if node.form is not Form.PLAIN:
        numbers += [
            layout.builder.node(prefix + node.name, node.op, mark) for _ in node.floating[1:]
        ]
    if layout.places is not None:
        layout.places.update(
            {(place, node.name, str(output)): number for output, number in enumerate(numbers)}
        )
    numbers += numbers[-1:] * (len(node.floating) - len(numbers))
    return [pack(number, floating) for number, floating in zip(numbers, node.floating, strict=True)]


def _plain(site: _Site) -> None:
    if not site.outputs:
        return
    consumer = site.outputs[0] >> 1
    for source, passes in zip(site.inputs, site.node.passes, strict=True):
        site.layout.builder.edge(source >> 1, consumer, _kind(source, passes))


def _diagonal(site: _Site) -> None:
    for source, target in zip(site.inputs, site.outputs, strict=True):
        site.layout.builder.edge(source >> 1, target >> 1, _kind(source, Edge.FLOW))
    _fill(site, site.inputs)


def _fill(site: _Site, sources: Sequence[Value]) -> int | None:
    """Where one output gets gradient, TensorFlow hands zeros to the others: a node that stands for
    that."""
    if not any(value & 1 for value in site.outputs):
        return None
    builder = site.layout.builder
    hub = builder.node("", site.node.op)
    for value in site.outputs:
        if value & 1:
            builder.edge(hub, value >> 1, Edge.FILL)
    for value in sources:
        if value & 1:
            builder.edge(value >> 1, hub, Edge.FILL)
    return hub


def _call(site: _Site) -> None:
    hub = _fill(site, ())
    site.call(site.node.functions[0], site.inputs, site.outputs, hub)


def _branch(site: _Site) -> None:
    """Every branch feeds the outputs through a gate; the condition decides over them but passes no
    gradient."""
    builder = site.layout.builder
    hub = _fill(site, ())
    condition, inputs = site.inputs[0], site.inputs[1:]
    for value in site.outputs:
        builder.edge(condition >> 1, value >> 1, _kind(condition, Edge.CUT))
    for part, function in zip(branch_names(site.node), site.node.functions, strict=True):
        site.call(function, inputs, _gates(site, part, site.outputs), hub, part)


def _loop(site: _Site) -> None:
    """A loop variable is fed by its initial value and by the body's result, and feeds the body and
    the output."""
    builder = site.layout.builder
    carried = site.passing(
        site.node.name, "carried", [bool(value & 1) for value in site.outputs], Mark.CARRIED
    )
    for initial, variable, output in zip(site.inputs, carried, site.outputs, strict=True):
        builder.edge(initial >> 1, variable >> 1, _kind(initial, Edge.FLOW))
        builder.edge(variable >> 1, output >> 1, _kind(variable, Edge.FLOW))
    _fill(site, carried)
    condition, body = site.node.functions
    predicate = pack(builder.node(site.prefix + site.node.name, site.node.op), floating=False)
    for variable in carried:
        builder.edge(predicate >> 1, variable >> 1, Edge.DISCRETE)
    site.call(condition, carried, [predicate], None, "cond")
    gates = _gates(site, "body", carried)
    for gate, output in zip(gates, site.outputs, strict=True):
        builder.edge(gate >> 1, output >> 1, _kind(gate, Edge.FLOW))
    site.call(body, carried, gates, None, "body")


def _gates(site: _Site, part: str, targets: Sequence[Value]) -> list[Value]:
    """A node before each target that stands for what only one branch or the loop's body brings."""
    gates = site.passing(
        f"{site.node.name}/{part}", part, [bool(value & 1) for value in targets], Mark.GATE
    )
    for gate, target in zip(gates, targets, strict=True):
        site.layout.builder.edge(gate >> 1, target >> 1, _kind(gate, Edge.FLOW))
    return gates


def branch_names(node: BodyNode) -> Sequence[str]:
    """What the branches of a cond or case are called, in the order of its functions."""
    return (
        ("then", "else")
        if "If" in node.op
        else tuple(f"branch{place}" for place in range(len(node.functions)))
    )


def _kind(value: Value, passes: Edge) -> Edge:
    return passes if value & 1 or passes is Edge.SHAPE else Edge.DISCRETE


def pack(node: int, floating: bool) -> Value:
    """A tensor of ``node``."""
    return 2 * node + int(floating)


_FORMS: Mapping[Form, Callable[[_Site], None]] = {
    Form.PLAIN: _plain,
    Form.DIAGONAL: _diagonal,
    Form.CALL: _call,
    Form.BRANCH: _branch,
    Form.LOOP: _loop,
}
