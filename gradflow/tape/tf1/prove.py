"""Try a repair in a graph of TensorFlow 1: what stands between the cuts of a way is differentiated
piece by piece, and the gradient handed over each cut."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Sighting, Trial
from gradflow.findings import Verdict
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.routes import way
from gradflow.options import Options
from gradflow.tape.load.error_messages import first_line
from gradflow.tape.loaded_model import Step
from gradflow.tape.measure import measure
from gradflow.tape.replay.cut_bridge import in_shape
from gradflow.tape.tf1.session import GraphSession, eager

_INSIDE = "it is cut inside a function, a loop or a condition of a graph of TensorFlow 1"
_NO_FLOAT = "in a graph of TensorFlow 1 the way ends in an output that is not a float"
_ZEROS = (Sighting(Edge.DEAD, None, None, "only zeros arrive"),)
_BROKEN = (Sighting(Edge.NONFINITE, None, None, "NaN or Inf"),)


@dataclass(frozen=True, slots=True)
class _Bridge:
    """A cut of the way."""

    source: Any
    """The tensor that goes into it."""
    result: Any
    """The floating tensor that comes out of it, be it some ops later."""


def prove(
    live: GraphSession,
    graph: FlowGraph,
    attribution: Attribution,
    name: str,
    step: Step,
    options: Options,
) -> Trial:
    """Let the gradient over the cuts of the smallest repair of the variable ``name``.

    ``graph`` and ``attribution`` are those of the report, ``step`` what has run.
    """
    bridges = _bridges(live, graph, attribution)
    if isinstance(bridges, str):
        return Trial(obstacle=bridges)
    feeds = live.feeds(step, options)
    try:
        value = _value(live, bridges, name, feeds)
    except (tf.errors.OpError, LookupError, TypeError, ValueError) as error:
        return Trial(obstacle=f"TensorFlow 1 cannot differentiate it in parts: {first_line(error)}")
    if value is None:
        return Trial(obstacle="TensorFlow 1 finds no way between the cuts")
    measured = measure(eager(value))
    if measured.verdict is Verdict.FLOWS and measured.gradient is not None:
        return Trial(measured.gradient.norm)
    is_zero = measured.verdict is Verdict.ZERO
    return Trial(0.0, _ZEROS) if is_zero else Trial(None, _BROKEN)


def _bridges(
    live: GraphSession, graph: FlowGraph, attribution: Attribution
) -> Sequence[_Bridge] | str:
    """Return the cuts in the order of the data, or why they cannot be told."""
    bridges: list[_Bridge] = []
    in_loops = live.ops_in_loops
    for before, stop in pairwise(way(graph, attribution)):
        if stop.cut is None:
            continue
        back = stop.node if stop.cut.reenters_at is None else stop.cut.reenters_at
        ops = [_operation(live, graph, node) for node in (before.node, stop.node, back)]
        if any(op is None or op in in_loops for op in ops):
            return _INSIDE
        behind, cut, result = ops
        sources = [tensor for tensor in cut.inputs if tensor.op is behind]
        results = [tensor for tensor in result.outputs if tensor.dtype.is_floating]
        if not results:
            return _NO_FLOAT
        if not sources:
            return _INSIDE
        bridges.append(_Bridge(sources[0], results[0]))
    return bridges


def _operation(live: GraphSession, graph: FlowGraph, node: int) -> Any:
    """Return the op of a node; None for one inside a function."""
    with contextlib.suppress(KeyError, ValueError):
        if not graph.functions[node]:
            return live.session.graph.get_operation_by_name(graph.names[node])
    return None


def _value(
    live: GraphSession, bridges: Sequence[_Bridge], name: str, feeds: Mapping[Any, Any]
) -> Any:
    """Return the gradient of the variable ``name``; None where none comes."""
    gradient = live.differentiated(live.objective, bridges[-1].result, None, feeds)
    variable = live.variable(name).outputs[0]
    for number in range(len(bridges) - 1, -1, -1):
        if gradient is None:
            return None
        source = bridges[number].source
        target = bridges[number - 1].result if number else variable
        is_handle = source is variable
        shape = live.shapes[name] if is_handle else np.shape(live.session.run(source, feeds))
        carried = in_shape(_dense(gradient), tuple(shape))
        if is_handle:
            return carried
        gradient = live.differentiated(source, target, carried, feeds)
    return gradient


def _dense(gradient: Any) -> Any:
    return np.asarray(tf.convert_to_tensor(eager(gradient)))
