"""Run a traced graph op by op, so that every tensor is known: branches taken, loops unrolled.

TensorFlow's own step says what arrives at a variable and nothing about the way there. Here each op
of the graph is run by itself, so that values and gradients are known at every tensor on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from gradflow.flow.lower.body import Body, function_body, graph_body
from gradflow.flow.lower.body_node import BodyNode, Form
from gradflow.flow.lower.layout import NodeKey, inner_copy
from gradflow.flow.lower.library import Library, library_of
from gradflow.flow.lower.references import Reference
from gradflow.ops.calls import Callee
from gradflow.ops.families import IFS, PLAIN_READS, READS
from gradflow.tape.private_api import (
    EagerTensor,
    func_graph_from_py_func,
    gradient_registry,
    make_ndarray,
    op_def_of,
    run_op,
)
from gradflow.tape.replay.node_attrs import node_attrs
from gradflow.tape.replay.record import Gradient, Record, ReplayError, Run

_REPEATABLE = (
    PLAIN_READS | READS | {"Assert", "LookupTableFindV2", "LookupTableSizeV2", "VariableShape"}
)
"""Ops with a state that can be run again whenever one likes: they read it, and nothing else."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of a step that ran before, so that the same step can be run again."""

    outputs: Mapping[str, Sequence[Any]]
    """What ops gave that would give something else now, by their names in the outermost graph."""
    gradients: Mapping[str, Gradient] = field(default_factory=dict)
    """The user's own gradient functions, by ``_gradient_op_type``."""
    graphs: Mapping[str, Any] = field(default_factory=dict)
    """The live graphs of the functions that it calls, where they are known."""
    attrs: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Name, value, name, value, ... of attrs that the outermost graph lacks, by the names of
    ops."""


def replay(graph: Any, feeds: Sequence[Any], recomputed: frozenset[str] = frozenset()) -> Run:
    """Run the live FuncGraph ``graph`` op by op on ``feeds``, one tensor for each of its inputs and
    captures.

    ``recomputed`` are the custom gradients that pass gradient as the plain function would.

    Raises:
        ReplayError: an op or its gradient cannot be run by itself.
    """
    graph_def = graph.as_graph_def()
    library = library_of(graph_def, recomputed=recomputed)
    fed = {tensor.op.name: value for tensor, value in zip(graph.inputs, feeds, strict=True)}
    return replay_graph(library, graph_def, [output.name for output in graph.outputs], fed, graph)


def replay_graph(
    library: Library,
    graph_def: Any,
    outputs: Sequence[str],
    fed: Mapping[str, Any],
    graph: Any | None = None,
    kept: Kept | None = None,
) -> Run:
    """Run a GraphDef op by op, as far as ``outputs`` depend on it.

    Args:
        library: the functions that it calls.
        graph_def: the graph.
        outputs: names of tensors.
        fed: the tensors of its placeholders, by their names.
        graph: the live FuncGraph of it, which custom gradients need.
        kept: what was kept of the step that is run again; then nothing is run that has an effect,
            and nothing is drawn anew.

    Raises:
        ReplayError: an op or its gradient cannot be run by itself.
    """
    run = Run()
    body = graph_body(library, graph_def, outputs)
    run.fed = {name: run.slot(value) for name, value in fed.items()}
    frame = _Frame(
        run=run,
        library=library,
        bodies={},
        copy="",
        body=body,
        node_defs={node.name: node for node in graph_def.node},
        fed=run.fed,
        arguments=(),
        graph=graph,
        kept=kept,
    )
    try:
        run.outputs = [frame.slot(reference) for reference in body.results]
    except ReplayError:
        raise
    except Exception as error:  # an op that TensorFlow cannot run eagerly raises whatever it likes
        raise ReplayError(f"{type(error).__name__}: {error}") from error
    return run


@dataclass(slots=True)
class _Frame:
    """One copy of a body while it is run."""

    run: Run
    library: Library
    bodies: dict[str, tuple[Body, Mapping[str, Any]]]
    """The functions that were parsed, with their NodeDefs by name."""
    copy: str
    """Which copy it is, as in ``NodeKey``."""
    body: Body
    node_defs: Mapping[str, Any]
    fed: Mapping[str, int]
    """Slots of placeholders, by node name."""
    arguments: Sequence[int]
    graph: Any
    """The live graph of the body, where a custom gradient needs it; None where it is not known."""
    kept: Kept | None = None
    slots_by_node: dict[int, Sequence[int]] = field(default_factory=dict)

    def slot(self, reference: Reference) -> int:
        """Return the slot of a tensor; what it depends on is run first."""
        number, output = reference
        if number < 0:
            return self.arguments[~number]
        stack = [number]
        while stack:
            waiting = [] if stack[-1] in self.slots_by_node else self._missing(stack[-1])
            if waiting:
                stack += waiting
                continue
            current = stack.pop()
            if current not in self.slots_by_node:
                self.slots_by_node[current] = self._run(self.body.nodes[current])
        return self.slots_by_node[number][output]

    def _missing(self, number: int) -> list[int]:
        return [
            source
            for source, _ in self.body.nodes[number].inputs
            if source >= 0 and source not in self.slots_by_node
        ]

    def _run(self, node: BodyNode) -> Sequence[int]:
        if node.name in self.fed:
            return [self.fed[node.name]]
        inputs = [self.slot(reference) for reference in node.inputs]
        if node.form is Form.CALL:
            return self._passed(node, self._call(node, node.callees[0], inputs))
        if node.form is Form.BRANCH:
            return self._branch(node, inputs)
        if node.form is Form.LOOP:
            return self._loop(node, inputs)
        return self._op(node, inputs)

    def _passed(
        self,
        node: BodyNode,
        slots: Sequence[int],
        part: str = "",
        decided_by: Sequence[int] = (),
    ) -> list[int]:
        return [
            self.run.pass_on(
                slot,
                NodeKey(self.copy, node.name, f"{part}:{output}" if part else str(output)),
                decided_by,
            )
            for output, slot in enumerate(slots)
        ]

    def _call(self, node: BodyNode, callee: Callee, inputs: Sequence[int]) -> list[int]:
        function = callee.function
        if function not in self.bodies:
            by_name = {inner.name: inner for inner in self.library.functions[function].node_def}
            self.bodies[function] = function_body(self.library, function), by_name
        body, node_defs = self.bodies[function]
        frame = _Frame(
            run=self.run,
            library=self.library,
            bodies=self.bodies,
            copy=inner_copy(self.copy, node.name, callee.part),
            body=body,
            node_defs=node_defs,
            fed={},
            arguments=inputs[callee.first_input :],
            graph=self._graph_of(function),
            kept=self.kept,
        )
        return [frame.slot(reference) for reference in body.results]

    def _branch(self, node: BodyNode, inputs: Sequence[int]) -> list[int]:
        condition = self.run.tensors[inputs[0]]
        is_if = node.op in IFS
        number = int(not _is_true(condition)) if is_if else int(condition.numpy())
        callee = node.callees[number if 0 <= number < len(node.callees) else -1]
        results = self._call(node, callee, inputs)
        gated = self._passed(node, results, callee.part)
        return self._passed(node, gated, decided_by=inputs[:1])

    def _loop(self, node: BodyNode, inputs: Sequence[int]) -> list[int]:
        body, condition = node.callees
        values: Sequence[int] = inputs
        carried: Sequence[int] = ()
        while _is_true(self.run.tensors[(decided := self._call(node, condition, values))[0]]):
            carried = self._passed(node, values, "carried", decided)
            values = self._passed(node, self._call(node, body, carried), body.part)
        # NOTE: what the last trip brings goes to the output alone, so it does not count as a loop
        # variable's gradient.
        last = values if carried else self._passed(node, values, "carried")
        return self._passed(node, last, decided_by=decided)

    def _op(self, node: BodyNode, inputs: Sequence[int]) -> Sequence[int]:
        node_def = self.node_defs[node.name]
        if node.op == "Const":
            slot = self.run.slot(tf.constant(make_ndarray(node_def.attr["value"].tensor)))
            self.run.constants[slot] = NodeKey(self.copy, node.name, "0")
            return [slot]
        own = () if self.kept is None or self.copy else self.kept.attrs.get(node.name, ())
        attrs = node_attrs(node_def, own)
        tensors = [self.run.tensors[slot] for slot in inputs]
        values = self._kept_outputs(node)
        if values is None:
            values = run_op(node.op, len(node.floating), tensors, attrs)
        slots = tuple(self.run.slot(value) for value in values)
        gradient = None
        if "_gradient_op_type" in node_def.attr and node.form is not Form.DIAGONAL:
            gradient = self._custom_gradient(node, node_def.attr["_gradient_op_type"].s.decode())
        count = len(slots) if node.form is Form.DIAGONAL else 1
        keys = tuple(NodeKey(self.copy, node.name, str(output)) for output in range(count))
        record = Record(
            op=node.op,
            attrs=attrs,
            inputs=tuple(inputs),
            outputs=slots,
            keys=keys,
            gradient=gradient,
        )
        self.run.add(record)
        return slots

    def _kept_outputs(self, node: BodyNode) -> Sequence[Any] | None:
        """Return what an op gave in the step that is run again; None where it would give the same
        now."""
        op_def = op_def_of(node.op)
        if self.kept is None or op_def is None or not op_def.is_stateful:
            return None
        outputs = None if self.copy else self.kept.outputs.get(node.name)
        if outputs is None and node.op not in _REPEATABLE:
            raise ReplayError(f"{node.op} {node.name!r} cannot be run again as it ran")
        return outputs

    def _graph_of(self, function: str) -> Any | None:
        live = getattr(self.graph, "_functions", {}).get(function)
        graph = getattr(live, "graph", None)
        return self.kept.graphs.get(function) if graph is None and self.kept is not None else graph

    def _custom_gradient(self, node: BodyNode, kind: str) -> Gradient:
        """Return the user's gradient, traced when it is asked for: it refers to tensors of the
        graph, known here."""
        if self.kept is not None and kind in self.kept.gradients:
            return self.kept.gradients[kind]

        def gradient(_: Any, *upstream: Any) -> list[Any]:
            traced, captured = self._traced(node, kind)
            run = replay(traced, [*upstream, *captured])
            results = iter(run.tensors[slot] for slot in run.outputs)
            flat = tf.nest.flatten(traced.structured_outputs)
            return [None if output is None else next(results) for output in flat]

        return gradient

    def _traced(self, node: BodyNode, kind: str) -> tuple[Any, list[Any]]:
        if self.graph is None:
            raise ReplayError(
                f"{node.name}: the function that holds this custom gradient is not live"
            )
        operation = self.graph.get_operation_by_name(node.name)
        function = gradient_registry.lookup(kind)
        specs = [tf.TensorSpec(output.shape, output.dtype) for output in operation.outputs]
        with self.graph.as_default():
            traced = func_graph_from_py_func(
                "gradient", lambda *up: function(operation, *up), specs, {}
            )
        return traced, [self._value(external) for external, _ in traced.captures]

    def _value(self, tensor: Any) -> Any:
        if isinstance(tensor, EagerTensor):
            return tensor
        if tensor.graph is not self.graph:
            raise ReplayError(f"{tensor.name}: belongs to another graph")
        for number, argument in enumerate(self.graph.inputs if not self.fed else ()):
            if argument is tensor:
                return self.run.tensors[self.arguments[number]]
        index = next(
            (number for number, node in enumerate(self.body.nodes) if node.name == tensor.op.name),
            None,
        )
        if index is None:
            raise ReplayError(f"{tensor.name}: was not needed in the forward pass")
        return self.run.tensors[self.slot((index, tensor.value_index))]


def _is_true(value: Any) -> bool:
    """As If and While see it: a number is true unless it is 0, an array unless it is empty
    (ToBool)."""
    array = value.numpy()
    if array.ndim:
        return bool(array.size)
    return bool(len(array.item())) if array.dtype.kind in "OS" else bool(array)
