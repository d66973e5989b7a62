"""Lower the graph of one gradient call: what its targets depend on, and what its tape missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import tensorflow as tf

from gradflow.files.frames import Frame
from gradflow.flow.graph import FlowGraph, Origins
from gradflow.flow.lower.graph_def import lower_graph, op_types
from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.lower.library import Library, library_of
from gradflow.ops.families import READS
from gradflow.ops.tensor_names import is_control
from gradflow.tape.custom_gradients import traced_gradients
from gradflow.tape.custom_ops import registered_specs
from gradflow.tape.op_origins import LIBRARIES, reached
from gradflow.tape.watching.eager_ops import EagerGraph, custom_name
from gradflow.tape.watching.gradient_calls import GradientCall
from gradflow.tape.watching.recorder import ALL_TAPES, Record
from gradflow.tape.watching.training_graphs import Handles

_FEEDS = ("Placeholder", "VarHandleOp")
_STOP = "StopGradient"


@dataclass(frozen=True, slots=True)
class CallGraph:
    """The graph of one gradient call."""

    flow: FlowGraph
    nodes: Mapping[NodeKey, int]
    """Those of ``flow``, by what they stand for."""
    library: Library
    graph_def: Any
    targets: Sequence[str]
    """Names of tensors."""
    handles: Mapping[str, int]
    """The numbers of the handles of variables, by the names of their nodes."""
    live: Any | None = None
    """The FuncGraph; None where it ran eagerly."""
    eager: EagerGraph | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    """The eager handles of what a FuncGraph has captured, by the names of their nodes."""


def scene_of(record: Record, call: GradientCall, names: Mapping[int, str]) -> CallGraph | None:
    """Return the graph of ``call``; None where its targets are not known.

    ``names``: of the weights, by the numbers of their handles.
    """
    if not call.targets or call.is_partial:
        return None
    try:
        if call.graph is None:
            return _eager(record, call, names)
        return _traced(record, call, names)
    except Exception as error:  # what is not understood must not end the user's training
        reason = str(error).partition("\n")[0] or type(error).__name__
        record.obstacles.append(f"the graph of a gradient call: {reason}")
        return None


def left_scene(record: Record, call: GradientCall, names: Mapping[int, str]) -> FlowGraph | None:
    """Return the graph of all that was taken out of TensorFlow before an eager ``call``; None where
    nothing was."""
    places = [place for place, number in record.left.items() if number <= call.begun_at]
    if call.graph is not None or not places:
        return None
    everything = replace(call, targets=places, tape=ALL_TAPES)
    try:
        return _eager(record, everything, names).flow
    except Exception:  # as above; what it would add is said less well without it
        return None


def _eager(record: Record, call: GradientCall, names: Mapping[int, str]) -> CallGraph:
    graph = record.eager.graph(call.targets)
    customs = {
        custom_name(op): tuple(op.returned) for op in graph.ops.values() if op.returned is not None
    }
    recomputed: frozenset[str] = frozenset()
    for function in record.graphs.values():
        gradients = traced_gradients(function, function.as_graph_def())
        customs.update(gradients.returned)
        recomputed |= gradients.recomputed
    variables = {node: names[number] for node, number in graph.handles.items() if number in names}
    unrecorded: frozenset[str] = frozenset()
    if call.tape != ALL_TAPES:
        missed = {name for name, op in graph.ops.items() if call.tape not in op.tapes}
        unrecorded = _borders(graph.graph_def, missed, graph.handles, call, graph.outputs)
    library = library_of(
        graph.graph_def,
        custom_gradients=customs,
        registered=registered_specs(op_types(graph.graph_def)),
        recomputed=recomputed,
        unrecorded=unrecorded,
    )
    nodes: dict[NodeKey, int] = {}
    lowered = lower_graph(library, graph.graph_def, graph.outputs, variables, nodes_by_key=nodes)
    return CallGraph(
        flow=replace(lowered, origins=_eager_origins(record, graph)),
        nodes=nodes,
        library=library,
        graph_def=graph.graph_def,
        targets=graph.outputs,
        handles=graph.handles,
        eager=graph,
    )


def _eager_origins(record: Record, graph: EagerGraph) -> Origins:
    @cache
    def graphs() -> Mapping[str, Any]:
        inner = {}
        for name, function in record.graphs.items():
            inner.update({**reached(function), name: function})
        return inner

    def frames(function: str, name: str) -> Sequence[Frame] | None:
        if not function:
            return graph.ops[name].frames if name in graph.ops else None
        return _frames(graphs().get(function), name)

    def layer(function: str, name: str) -> str | None:
        return graph.ops[name].layer if not function and name in graph.ops else None

    return Origins(frames, layer, _folders())


def _traced(record: Record, call: GradientCall, names: Mapping[int, str]) -> CallGraph:
    graph: Any = call.graph
    graph_def = graph.as_graph_def()
    gradients = traced_gradients(graph, graph_def)
    numbers, resources, handles = {}, {}, Handles()
    for external, placeholder in graph.captures:
        handle = handles.of(external)
        if handle is not None and handle.dtype == tf.resource:
            numbers[placeholder.op.name] = handle._id
            resources[placeholder.op.name] = handle
    noted = record.noted.get(graph, {})
    missed = {
        name
        for name, note in noted.items()
        if call.tape not in note.tapes and graph.get_operation_by_name(name).type not in _FEEDS
    }
    unrecorded: frozenset[str] = frozenset()
    if call.tape != ALL_TAPES:
        unrecorded = _borders(graph_def, missed, numbers, call, call.targets)
    library = library_of(
        graph_def,
        custom_gradients=gradients.returned,
        registered=registered_specs(op_types(graph_def)),
        recomputed=gradients.recomputed,
        unrecorded=unrecorded,
    )
    variables = {node: names[number] for node, number in numbers.items() if number in names}
    nodes: dict[NodeKey, int] = {}
    lowered = lower_graph(library, graph_def, call.targets, variables, nodes_by_key=nodes)

    @cache
    def graphs() -> Mapping[str, Any]:
        return reached(graph)

    def frames(function: str, name: str) -> Sequence[Frame] | None:
        return _frames(graphs().get(function), name)

    def layer(function: str, name: str) -> str | None:
        note = record.noted.get(graphs().get(function), {}).get(name)
        return None if note is None else note.layer

    return CallGraph(
        flow=replace(lowered, origins=Origins(frames, layer, _folders())),
        nodes=nodes,
        library=library,
        graph_def=graph_def,
        targets=call.targets,
        handles=numbers,
        live=graph,
        resources=resources,
    )


def _borders(
    graph_def: Any,
    missed: Set[str],
    handles: Mapping[str, int],
    call: GradientCall,
    targets: Sequence[str],
) -> frozenset[str]:
    """Return those of the ops ``missed`` by a tape whose values go on to an op that it recorded,
    and the ops that read a variable which it does not watch: there its knowledge ends."""
    borders = {target.partition(":")[0] for target in targets} & missed
    # TensorFlow reads a variable for tf.stop_gradient without a word to the tape: the stop counts.
    stopped = {node.input[0].partition(":")[0] for node in graph_def.node if node.op == _STOP}
    for node in graph_def.node:
        sources = [name.partition(":")[0] for name in node.input if not is_control(name)]
        if node.op in READS and sources:
            number = handles.get(sources[0])
            is_missed = node.name in missed or node.name in stopped
            if number is not None and number not in call.watched and not is_missed:
                borders.add(node.name)
        if node.name not in missed:
            borders.update(source for source in sources if source in missed)
    return frozenset(borders)


def _frames(graph: Any | None, name: str) -> Sequence[Frame] | None:
    try:
        op = None if graph is None else graph.get_operation_by_name(name)
    except (KeyError, ValueError):
        return None
    return None if op is None else [(frame.filename, frame.lineno) for frame in op.traceback or ()]


def _folders() -> tuple[str, ...]:
    return tuple(folder.replace("\\", "/") for folder in LIBRARIES)
