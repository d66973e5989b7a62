"""Hand the gradient over cuts in the backward pass of a replay, as if their ops were the identity.

Nothing of the forward pass changes. Over a passage without floats (ints from ArgMax on, floats
again at OneHot) the gradient goes at once, from the op where the floats come back to the op that
left them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.lower.layout import NodeKey
from gradflow.ops.families import SHAPE_OPS
from gradflow.tape.private_api import held_by
from gradflow.tape.replay.index import numbers
from gradflow.tape.replay.record import Record, Run, is_number

_Gradients = dict[int, Any]
"""Gradients by their identity, so that one which comes by two ways counts once."""


class CutBridge:
    """Lets the gradient over some edges of a graph.

    ``ends`` are gradients of outputs that are integers, by slot: where a passage ends in one.
    """

    def __init__(
        self,
        graph: FlowGraph,
        keys: Mapping[int, NodeKey],
        run: Run,
        edges: Iterable[int],
        ends: Mapping[int, Any],
    ) -> None:
        self._run = run
        self._inputs = _inputs_by_key(graph, keys, edges)
        self._passage = self._slots_of_passages()
        self._carried: dict[int, _Gradients] = {slot: {id(end): end} for slot, end in ends.items()}
        """What is on its way through a passage, by slot."""

    def over(self, record: Record, arrived: Sequence[Any], handed: Sequence[Any]) -> Sequence[Any]:
        """Return what goes on to the inputs of ``record``; see ``Bridge``."""
        gradients: _Gradients = {id(one): one for one in arrived if one is not None}
        for slot in record.outputs:
            gradients.update(self._carried.get(slot, {}))
        if not gradients:
            return handed
        bridged = self._bridged(record)
        for number, slot in enumerate((*record.inputs, *record.decided_by)):
            goes_on = record.op not in SHAPE_OPS or number in bridged
            if slot in self._passage and goes_on:
                self._carried.setdefault(slot, {}).update(gradients)
        if not bridged:
            return handed
        beside = [None] * (len(record.inputs) - len(handed))
        result = [*handed, *beside]
        for number in bridged:
            own = arrived[number] if number < len(arrived) else None
            target = self._run.tensors[record.inputs[number]]
            result[number] = _joined(own, list(gradients.values()), target)
        return result

    def _bridged(self, record: Record) -> Collection[int]:
        return {
            number if len(record.keys) == 1 else index
            for index, key in enumerate(record.keys)
            for number in self._inputs.get(key, ())
            if number < len(record.inputs)
        }

    def _slots_of_passages(self) -> set[int]:
        """Return the slots without floats whose data comes from a float over one of the edges."""
        slots: set[int] = set()
        for record in self._run.records:
            sources = {*record.inputs, *record.decided_by}
            goes_on = record.op not in SHAPE_OPS and not slots.isdisjoint(sources)
            if goes_on or self._bridged(record):
                slots.update(
                    slot for slot in record.outputs if not is_number(self._run.tensors[slot])
                )
        return slots


def _inputs_by_key(
    graph: FlowGraph, keys: Mapping[int, NodeKey], edges: Iterable[int]
) -> Mapping[NodeKey, frozenset[int]]:
    """Return the numbers of the inputs that ``edges`` stand for, by the key of their node."""
    chosen = set(edges)
    consumers = {
        node: frozenset(
            edge - graph.first[node]
            for edge in range(graph.first[node], graph.first[node + 1])
            if edge in chosen and graph.kinds[edge] not in (Edge.DISCRETE, Edge.FILL)
        )
        for node in keys
    }
    return {keys[node]: inputs for node, inputs in consumers.items() if inputs}


def _joined(own: Any, gradients: Sequence[Any], target: Any) -> Any:
    """Return the gradient for ``target``: that of the output of the same number where there is one,
    else all of them together."""
    if own is not None:
        gradients = [own]
    parts = [_carried_over(gradient, target) for gradient in gradients]
    dense = [part for part in parts if part is not None]
    return tf.add_n(dense) if dense and dense[0].dtype != tf.variant else next(iter(dense), None)


def _carried_over(gradient: Any, target: Any) -> Any:
    """Return ``gradient`` in the shape of ``target``: as it is, or along a fixed random projection
    where it has another shape."""
    if gradient.dtype == tf.variant or target.dtype == tf.variant:
        return gradient if gradient.dtype == target.dtype else None
    shape, dtype = _shape_and_type(target)
    if shape is None:
        return None
    array = numbers(tf.convert_to_tensor(gradient))
    if np.iscomplexobj(array) and not dtype.is_complex:
        array = array.real
    return tf.cast(tf.constant(in_shape(array, shape)), dtype)


def in_shape(array: Any, shape: tuple[int, ...]) -> Any:
    """Return ``array`` in ``shape``: as it is, or along a fixed random projection where it has
    another shape."""
    if array.shape == shape:
        return array
    return _projected(array.ravel(), int(np.prod(shape, dtype=int))).reshape(shape)


def _shape_and_type(target: Any) -> tuple[tuple[int, ...] | None, Any]:
    """Return the shape and the type of a tensor, or of what the variable of a handle holds; a shape
    of None where that is not known."""
    if target.dtype != tf.resource:
        return (tuple(target.shape.as_list()) if is_number(target) else None), target.dtype
    return held_by(target)


def _projected(values: Any, size: int) -> Any:
    """Return ``size`` random sums of ``values``, of about the same norm; fixed, and in linear time:
    a full matrix would not fit for the tensors of an image."""
    if not values.size or not size:
        return np.zeros(size, values.dtype)
    draw = np.random.default_rng([values.size, size])
    count = max(values.size, size)
    source = draw.permutation(count) % values.size
    target = np.arange(count) % size
    result = np.zeros(size, values.dtype)
    np.add.at(result, target, draw.standard_normal(count) * values[source])
    return result * np.sqrt(values.size / count)
