"""Lay out a replayed step as a graph of its own: each op as often as it ran, each loop unrolled.

The graph of the model holds the body of a loop once, and branches that did not run. What reached
the outputs in this step, and what held its gradient back, is told by what ran alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder
from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.measured import Arrived
from gradflow.flow.routes import Stop, way
from gradflow.tape.replay.backward import arrived_at, gradient_at
from gradflow.tape.replay.entries import WHOLE, Link, Parts, parts_of
from gradflow.tape.replay.index import Trail, numbers
from gradflow.tape.replay.record import Record, is_number


@dataclass(frozen=True, slots=True)
class Unrolled:
    """What held back the gradients of a step, in the nodes of the model's own graph."""

    graph: FlowGraph
    attributions: Mapping[str, Attribution]
    node_of: array[int]
    """For each node of the unrolled graph the one of the model's graph."""

    def cuts(self, name: str) -> tuple[int, list[Cut]]:
        """Return the fewest cuts to restore for a variable, and its causes; none where its data
        reached no output in this step, or its gradient arrived."""
        attribution = self.attributions.get(name)
        if attribution is None or not attribution.cuts_to_restore:
            return 0, []
        return attribution.cuts_to_restore, [self._moved(cut) for cut in attribution.causes]

    def way(self, name: str) -> Sequence[Stop]:
        """Return the way of a variable to an output with the fewest cuts; empty where ``cuts`` has
        none, or where an op on it stands for no node of the model's graph."""
        if not self.cuts(name)[1]:
            return ()
        stops = way(self.graph, self.attributions[name])
        if any(self.node_of[stop.node] < 0 for stop in stops if stop.cut is not None):
            return ()
        return tuple(
            replace(
                stop,
                node=self.node_of[stop.node],
                cut=None if stop.cut is None else self._moved(stop.cut),
            )
            for stop in stops
            if self.node_of[stop.node] >= 0
        )

    def reaches(self, name: str) -> bool:
        """Return whether the variable's data reached an output in this step."""
        attribution = self.attributions.get(name)
        return attribution is not None and attribution.cuts_to_restore is not None

    def _moved(self, cut: Cut) -> Cut:
        back, source = (
            None if node is None else self.node_of[node] for node in (cut.reenters_at, cut.source)
        )
        return replace(cut, node=self.node_of[cut.node], reenters_at=back, source=source)


def unrolled(
    graph: FlowGraph, nodes: Mapping[NodeKey, int], trail: Trail, outputs: Mapping[int, Any]
) -> Unrolled:
    """Lay out what a step ran.

    Args:
        graph: of the model.
        nodes: its nodes, by what they stand for.
        trail: the step.
        outputs: the slots of the floating outputs that count.
    """
    run = trail.back.run
    laid = _Unrolling(graph, nodes, trail, parts_of(run))
    for name, slot in run.fed.items():
        laid.add(NodeKey("", name, "0"), [(slot, WHOLE)])
    for number, record in enumerate(run.records):
        if number in laid.parts.links:
            laid.part_by_part(record, laid.parts.links[number])
        else:
            laid.whole(record)
    makers = laid.makers
    ends = [(slot, part) for slot in outputs for part in laid.parts.of(slot)]
    ran = laid.builder.build(
        {
            name: makers[slot, WHOLE]
            for name, slot in trail.handles.items()
            if (slot, WHOLE) in makers
        },
        list(dict.fromkeys(makers[end] for end in ends if end in makers)),
    )
    ran = replace(ran, places=_places(laid.node_of))
    return Unrolled(ran, attribute(ran), laid.node_of)


_Part = tuple[int, int]
"""A slot, and the part of its tensor."""


@dataclass(frozen=True, slots=True)
class _Unrolling:
    """A step while it is laid out."""

    graph: FlowGraph
    nodes: Mapping[NodeKey, int]
    trail: Trail
    parts: Parts
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    node_of: array[int] = field(default_factory=lambda: array("i"))
    makers: dict[_Part, int] = field(default_factory=dict)
    """The node that made a part of a tensor."""
    seen: dict[_Part, bool] = field(default_factory=dict)

    def add(self, key: NodeKey, made: Iterable[_Part]) -> int:
        """Add a node that makes some parts of tensors."""
        number = self.nodes.get(key, -1)
        self.makers.update(dict.fromkeys(made, len(self.node_of)))
        self.node_of.append(number)
        graph = self.graph
        name, op = (graph.names[number], graph.ops[number]) if number >= 0 else ("", "")
        return self.builder.node(name, op)

    def whole(self, record: Record) -> None:
        """Add an op whose outputs come each from all of its inputs, or each from its own."""
        is_diagonal = len(record.keys) > 1
        groups = [(slot,) for slot in record.outputs] if is_diagonal else [record.outputs]
        for place, (group, key) in enumerate(zip(groups, record.keys, strict=True)):
            made = [(slot, part) for slot in group for part in self.parts.of(slot)]
            node = self.add(key, made)
            for number, slot in enumerate(record.inputs):
                if not is_diagonal or number == place:
                    for part in self.parts.of(slot):
                        self._edge(record, key, number, source=(slot, part), node=node, made=made)

    def part_by_part(self, record: Record, links: Sequence[Link]) -> None:
        """Add an op whose outputs have parts of their own, each from some parts of its inputs."""
        made: dict[_Part, int] = {}
        for output, slot in enumerate(record.outputs):
            key = record.keys[output if len(record.keys) > 1 else 0]
            for part in self.parts.of(slot):
                made[slot, part] = self.add(key, [(slot, part)])
        for number, part, output, made_part in links:
            key = record.keys[output if len(record.keys) > 1 else 0]
            end = record.outputs[output], made_part
            self._edge(
                record,
                key,
                number,
                source=(record.inputs[number], part),
                node=made[end],
                made=[end],
            )
        for number, slot in enumerate(record.inputs):  # an axis, an index
            if not is_number(self.trail.back.run.tensors[slot]) and slot not in self.parts.labels:
                for end, node in made.items():
                    self._edge(
                        record, record.keys[0], number, source=(slot, WHOLE), node=node, made=[end]
                    )

    def _edge(
        self,
        record: Record,
        key: NodeKey,
        number: int,
        source: _Part,
        node: int,
        made: Sequence[_Part],
    ) -> None:
        if source not in self.makers:
            return
        tensor = self.trail.back.run.tensors[source[0]]
        kind = _kind(self.graph, self.nodes.get(key), record, number, tensor)
        if kind is Edge.FLOW and any(map(self._arrived, made)) and not self._arrived(source):
            kind = Edge.DEAD
        self.builder.edge(self.makers[source], node, kind)

    def _arrived(self, part: _Part) -> bool:
        """Return whether something other than zeros arrived at a part, looked at once."""
        if part not in self.seen:
            slot, _ = part
            labels, back = self.parts.labels.get(slot), self.trail.back
            arrived = bool(arrived_at(back, slot) & Arrived.SOMETHING)
            gradient = gradient_at(back, slot) if arrived and labels is not None else None
            if labels is not None and getattr(gradient, "shape", None) == labels.shape:
                dense = numbers(tf.convert_to_tensor(gradient))
                alive = set(np.unique(labels[dense != 0]).tolist())
                self.seen.update({(slot, one): one in alive for one in self.parts.of(slot)})
            self.seen.setdefault(part, arrived)
        return self.seen[part]


def _kind(graph: FlowGraph, node: int | None, record: Record, number: int, tensor: Any) -> Edge:
    """Return how gradient passes to an input of a record: as in the model's graph, else by type."""
    if record.op and len(record.keys) == 1 and node is not None:
        edge = graph.first[node] + number
        if edge < graph.first[node + 1]:
            return Edge(graph.kinds[edge])
    dtype = tensor.dtype
    carries = dtype.is_floating or dtype.is_complex or dtype in (tf.resource, tf.variant)
    return Edge.FLOW if carries else Edge.DISCRETE


def _places(node_of: array[int]) -> array[int]:
    first: dict[int, int] = {}
    return array(
        "i",
        (
            first.setdefault(number, node) if number >= 0 else node
            for node, number in enumerate(node_of)
        ),
    )
