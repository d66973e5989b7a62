"""Lay out bodies as nodes and edges: every call, branch and loop where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple, TypeAlias

from gradflow.errors import SAVE_AGAIN, UnreadableError
from gradflow.flow.graph import Assignment, Edge, GraphBuilder, Mark
from gradflow.flow.lower.body import Body, function_body
from gradflow.flow.lower.body_node import BodyNode, Form
from gradflow.flow.lower.library import Library
from gradflow.flow.lower.references import Reference
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.calls import Callee
from gradflow.ops.families import OVERWRITING, REFERENCE_ASSIGNMENTS

MAX_NODES = 5_000_000
"""Beyond this a graph is refused: functions that call each other can multiply without end."""


class Tensor(NamedTuple):
    """A tensor of the graph."""

    node: int
    """The node that makes it."""
    floating: bool
    """Whether its type carries gradient."""


class NodeKey(NamedTuple):
    """What one node of the laid out graph stands for, by names: a replay finds its nodes by it."""

    copy: str
    """The calls that lead to its copy of a body (``inner_copy``); empty for the graph itself."""
    name: str
    """The name of the node in its body."""
    part: str
    """The number of its output; behind the name of a branch or loop part, where there is one."""


CallChain: TypeAlias = tuple[str, "CallChain"] | None
"""The functions that a body stands in, innermost first."""


class BodyCopy(NamedTuple):
    """One copy of a body in the graph."""

    body: Body
    caller: Caller


Caller: TypeAlias = tuple[BodyCopy, int] | None
"""The copy of a body that calls another, with the number of the calling node in it; None for the
outermost body."""


@dataclass(frozen=True, slots=True)
class _PendingCall:
    """A function still to be laid out, and the tensors that wait for its results."""

    function: str
    arguments: Sequence[Tensor]
    results: Sequence[Tensor]
    hub: int | None
    prefix: str
    copy: str
    chain: CallChain
    caller: Caller


@dataclass(slots=True)
class Layout:
    """A graph that grows: what is built, and the calls that still have to be laid out."""

    library: Library
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    bodies: dict[str, Body] = field(default_factory=dict)
    pending: list[_PendingCall] = field(default_factory=list)
    nodes_by_key: dict[NodeKey, int] | None = None
    """Filled where there is one."""
    first_copies: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Where the nodes of the first copy of each function start, and how many they are."""
    raising: list[tuple[int, BodyCopy, int]] = field(default_factory=list)
    """Each op at which TensorFlow raises an error if it gets gradient: its node, the copy that it
    stands in, and its number there."""
    assignments: list[Assignment] = field(default_factory=list)
    overwritten_reads: list[int] = field(default_factory=list)
    idle: dict[int, str] = field(default_factory=dict)
    """As ``FlowGraph.idle``."""
    initial: dict[int, int] = field(default_factory=dict)
    """For each variable of a loop, the node of its initial value."""


@dataclass(frozen=True, slots=True)
class _Site:
    """One node in one copy of its body, with the tensors that it takes and gives."""

    layout: Layout
    node: BodyNode
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    prefix: str
    copy: str
    chain: CallChain
    here: tuple[BodyCopy, int]
    """The copy of the body, and the node's number in it."""

    def call(
        self,
        callee: Callee,
        arguments: Sequence[Tensor],
        results: Sequence[Tensor],
        hub: int | None,
    ) -> None:
        """Have a function laid out later, its results feeding the nodes of ``results``."""
        prefix = f"{self.prefix}{self.node.name}/{callee.part}/" if callee.part else self.prefix
        self.layout.pending.append(
            _PendingCall(
                function=callee.function,
                arguments=arguments,
                results=results,
                hub=hub,
                prefix=prefix,
                copy=inner_copy(self.copy, self.node.name, callee.part),
                chain=self.chain,
                caller=self.here,
            )
        )

    def passing(self, name: str, part: str, tensors: Sequence[Tensor], mark: Mark) -> list[Tensor]:
        """One node for each of ``tensors`` that only passes it on: the results of a branch, the
        variables of a loop."""
        layout = self.layout
        passed = []
        for number, tensor in enumerate(tensors):
            node = layout.builder.node(self.prefix + name, self.node.op, mark)
            if layout.nodes_by_key is not None:
                key = NodeKey(self.copy, self.node.name, f"{part}:{number}")
                layout.nodes_by_key[key] = node
            passed.append(Tensor(node, tensor.floating))
        return passed


def drain(layout: Layout) -> None:
    """Lay out all calls that are pending, and those that they bring.

    Raises:
        UnreadableError: a function is missing, calls itself, or the graph grows beyond
            ``MAX_NODES``.
        KeyError, IndexError, ValueError: the graph is damaged.
    """
    builder = layout.builder
    while layout.pending:
        call = layout.pending.pop()
        _refuse_recursion(call)
        body = body_of(layout, call.function)
        results = instantiate(
            layout,
            body,
            call.arguments,
            prefix=call.prefix,
            copy=call.copy,
            chain=(call.function, call.chain),
            caller=call.caller,
        )
        for result, waiting in zip(results, call.results, strict=True):
            # A condition that is a floating number decides all the same: it passes no gradient.
            passes = Edge.FLOW if waiting.floating else Edge.CUT
            builder.edge(result.node, waiting.node, _kind(result, passes))
            if call.hub is not None and result.floating:
                builder.edge(result.node, call.hub, Edge.FILL)
        if len(builder.names) > MAX_NODES:
            raise UnreadableError(
                f"the graph grows beyond {MAX_NODES:,} nodes when its functions are laid out",
                "its functions call each other too often to be analysed",
            )


def _refuse_recursion(call: _PendingCall) -> None:
    link = call.chain
    while link is not None:
        if link[0] == call.function:
            raise UnreadableError(
                f"function {call.function!r} calls itself",
                "TensorFlow cannot differentiate recursive functions",
            )
        link = link[1]


def body_of(layout: Layout, function: str) -> Body:
    """Return the parsed body of ``function``; parsed once, however often it is called."""
    if function not in layout.bodies:
        if function not in layout.library.functions:
            raise UnreadableError(
                f"the graph calls function {function!r}, which is not in the file",
                SAVE_AGAIN,
            )
        layout.bodies[function] = function_body(layout.library, function)
    return layout.bodies[function]


def instantiate(
    layout: Layout,
    body: Body,
    arguments: Sequence[Tensor],
    *,
    prefix: str = "",
    copy: str = "",
    chain: tuple[str, CallChain],
    caller: Caller = None,
    nodes: dict[str, int] | None = None,
) -> list[Tensor]:
    """Add one copy of ``body`` to the graph and return its results.

    Args:
        layout: the graph.
        body: what is copied.
        arguments: one tensor for each of the body's arguments.
        prefix: stands before the names of its nodes.
        copy: as in ``NodeKey``.
        chain: the function of the body, and those that it stands in.
        caller: the node that calls the body.
        nodes: filled, where given, with the first node of each of the body's nodes by its name.
    """
    layout.builder.function = chain[0]
    start = len(layout.builder.names)
    outputs = [_allocate(layout, node, prefix, copy) for node in body.nodes]
    for later, earlier in body.copies.items():
        layout.builder.repeats.append((outputs[later][0].node, outputs[earlier][0].node, 1))

    for (name, _), argument in zip(body.arguments, arguments, strict=True):
        if name in body.idle:
            layout.idle.setdefault(argument.node, prefix + body.idle[name])

    def tensor(reference: Reference) -> Tensor:
        number, output = reference
        if number < 0:
            return arguments[~number]
        return outputs[number][output]

    body_copy = BodyCopy(body, caller)
    for number, (node, own_outputs) in enumerate(zip(body.nodes, outputs, strict=True)):
        if node.raises and own_outputs:
            layout.raising.append((own_outputs[0].node, body_copy, number))
        if node.reads_overwritten and own_outputs:
            layout.overwritten_reads.append(own_outputs[0].node)
        if nodes is not None and own_outputs:
            nodes[node.name] = own_outputs[0].node
        inputs = [tensor(reference) for reference in node.inputs]
        site = _Site(
            layout=layout,
            node=node,
            inputs=inputs,
            outputs=own_outputs,
            prefix=prefix,
            copy=copy,
            chain=chain,
            here=(body_copy, number),
        )
        _FORMS[node.form](site)
    _note_copy(layout, chain[0], start)
    return [tensor(reference) for reference in body.results]


def _note_copy(layout: Layout, function: str, start: int) -> None:
    """Each copy of a body has the same nodes in the same order."""
    count = len(layout.builder.names) - start
    first, first_count = layout.first_copies.setdefault(function, (start, count))
    if first != start and first_count == count:
        layout.builder.repeats.append((start, first, count))


def inner_copy(copy: str, name: str, part: str) -> str:
    """Return the copy of the body that a call, branch or loop called ``name`` holds (see
    ``NodeKey``)."""
    return f"{copy}>{name}>{part}"


def _allocate(layout: Layout, node: BodyNode, prefix: str, copy: str) -> list[Tensor]:
    """Return the node's outputs: one graph node for an op, one an output where outputs are passed
    on one by one."""
    if not node.floating:
        return []
    # Only branches and loops prefix the names inside them.
    mark = node.mark | (Mark.CONTROLLED if prefix else 0)
    name = prefix + node.name if node.name else ""
    numbers = [layout.builder.node(name, node.op, mark)]
    if node.form is not Form.PLAIN:
        numbers += [layout.builder.node(name, node.op, mark) for _ in node.floating[1:]]
    if layout.nodes_by_key is not None:
        layout.nodes_by_key.update(
            {NodeKey(copy, node.name, str(output)): number for output, number in enumerate(numbers)}
        )
    numbers += numbers[-1:] * (len(node.floating) - len(numbers))
    return [Tensor(*pair) for pair in zip(numbers, node.floating, strict=True)]


def _plain(site: _Site) -> None:
    if not site.outputs:
        return
    consumer = site.outputs[0].node
    for source, passes in zip(site.inputs, site.node.passes, strict=True):
        site.layout.builder.edge(source.node, consumer, _kind(source, passes))


def _diagonal(site: _Site) -> None:
    for source, target in zip(site.inputs, site.outputs, strict=True):
        site.layout.builder.edge(source.node, target.node, _kind(source, Edge.FLOW))
    _fill(site, site.inputs)


def _fill(site: _Site, sources: Sequence[Tensor]) -> int | None:
    """Where one output gets gradient, TensorFlow hands zeros to the others: a node that stands for
    that."""
    if not any(output.floating for output in site.outputs):
        return None
    builder = site.layout.builder
    hub = builder.node("", site.node.op)
    for output in site.outputs:
        if output.floating:
            builder.edge(hub, output.node, Edge.FILL)
    for source in sources:
        if source.floating:
            builder.edge(source.node, hub, Edge.FILL)
    return hub


def _call(site: _Site) -> None:
    hub = _fill(site, ())
    site.call(site.node.callees[0], site.inputs, site.outputs, hub)


def _branch(site: _Site) -> None:
    """Every branch feeds the outputs through a gate; the condition decides over them but passes no
    gradient."""
    builder = site.layout.builder
    hub = _fill(site, ())
    condition = site.inputs[0]
    for output in site.outputs:
        builder.edge(condition.node, output.node, _kind(condition, Edge.CUT))
    for callee in site.node.callees:
        gates = _gates(site, callee.part, site.outputs)
        site.call(callee, site.inputs[callee.first_input :], gates, hub)


def _loop(site: _Site) -> None:
    """A loop variable is fed by its initial value and by the body's result, and feeds the body and
    the output."""
    builder = site.layout.builder
    carried = site.passing(site.node.name, "carried", site.outputs, Mark.CARRIED)
    for initial, variable, output in zip(site.inputs, carried, site.outputs, strict=True):
        site.layout.initial[variable.node] = initial.node
        builder.edge(initial.node, variable.node, _kind(initial, Edge.FLOW))
        builder.edge(variable.node, output.node, _kind(variable, Edge.FLOW))
    _fill(site, carried)
    body, condition = site.node.callees
    predicate = Tensor(builder.node(site.prefix + site.node.name, site.node.op), floating=False)
    for variable in carried:
        builder.edge(predicate.node, variable.node, Edge.DISCRETE)
    site.call(condition, carried, [predicate], None)
    gates = _gates(site, body.part, carried)
    for gate, output in zip(gates, site.outputs, strict=True):
        builder.edge(gate.node, output.node, _kind(gate, Edge.FLOW))
    site.call(body, carried, gates, None)


def _write(site: _Site) -> None:
    """What is put into a variable is what reads of it bring afterwards, and no gradient goes back
    over it."""
    layout, (written, _) = site.layout, site.outputs[0]
    handle, *values = site.inputs
    variable = handle.node
    while variable in layout.initial:
        variable = layout.initial[variable]
    is_whole = site.node.op in OVERWRITING
    if site.node.op in REFERENCE_ASSIGNMENTS:  # what it gives back is the variable
        layout.builder.edge(handle.node, written, _kind(handle, Edge.CUT))
        if is_whole:
            layout.overwritten_reads.append(written)
    for source, passes in zip(values, site.node.passes[1:], strict=True):
        layout.builder.edge(source.node, written, _kind(source, passes))
    if _is_read_later(site.here):
        layout.builder.edge(written, variable, Edge.FLOW)
    layout.assignments.append(
        Assignment(
            node=written,
            variable=variable,
            is_whole=is_whole,
            is_certain=not site.node.is_conditional
            and all(
                body_copy.body.nodes[number].form is not Form.BRANCH
                for body_copy, number in _levels(site.here)
            ),
        )
    )


def _levels(here: Caller) -> Iterator[tuple[BodyCopy, int]]:
    """Yield a node, the one that calls its body, the one that calls that, and so on."""
    while here is not None:
        yield here
        here = here[0].caller


def _is_read_later(here: Caller) -> bool:
    """Return whether the variable that a node writes to is read after it, in its body or in one
    that calls it; the next trip of a loop does."""
    argument = 0
    for body_copy, number in _levels(here):
        node = body_copy.body.nodes[number]
        position = argument + (node.callees[0].first_input if node.callees else 0)
        if node.form is Form.LOOP or position in node.read_later:
            return True
        source, _ = node.inputs[position]
        if source >= 0:
            return False
        argument = ~source
    return False


def _gates(site: _Site, part: str, targets: Sequence[Tensor]) -> list[Tensor]:
    """Return a node before each target that stands for what only one branch or the loop's body
    brings."""
    gates = site.passing(f"{site.node.name}/{part}", part, targets, Mark.GATE)
    for gate, target in zip(gates, targets, strict=True):
        site.layout.builder.edge(gate.node, target.node, _kind(gate, Edge.FLOW))
    return gates


def _kind(source: Tensor, passes: Edge) -> Edge:
    return passes if source.floating or passes in (Edge.SHAPE, Edge.FILL) else Edge.DISCRETE


_FORMS: Mapping[Form, Callable[[_Site], None]] = {
    Form.PLAIN: _plain,
    Form.DIAGONAL: _diagonal,
    Form.CALL: _call,
    Form.BRANCH: _branch,
    Form.LOOP: _loop,
    Form.WRITE: _write,
}
