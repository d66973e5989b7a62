"""Lay out a replayed step as a graph of its own: each op as often as it ran, each loop unrolled.

The graph of the model holds the body of a loop once, and branches that did not run. What reached
the outputs in this step, and what held its gradient back, is told by what ran alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder
from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.measured import Arrived
from gradflow.tape.replay.backward import arrived_at
from gradflow.tape.replay.index import Trail
from gradflow.tape.replay.record import Record


@dataclass(frozen=True, slots=True)
class Unrolled:
    """What held back the gradients of a step, in the nodes of the model's own graph."""

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
    builder, node_of = GraphBuilder(), array("i")
    makers: dict[int, int] = {}
    """By slot, the node that made it."""
    arrived = _arrivals(trail)

    def add(key: NodeKey | None, slots: tuple[int, ...]) -> int:
        number = nodes.get(key, -1) if key is not None else -1
        makers.update(dict.fromkeys(slots, len(node_of)))
        node_of.append(number)
        name, op = (graph.names[number], graph.ops[number]) if number >= 0 else ("", "")
        return builder.node(name, op)

    for name, slot in trail.back.run.fed.items():
        add(NodeKey("", name, "0"), (slot,))
    for record in trail.back.run.records:
        is_diagonal = len(record.keys) > 1
        groups = [(slot,) for slot in record.outputs] if is_diagonal else [record.outputs]
        for group, key in zip(groups, record.keys, strict=True):
            node = add(key, group)
            is_alive = any(arrived(slot) for slot in group)
            inputs = (
                record.inputs
                if not is_diagonal
                else record.inputs[record.outputs.index(group[0]) :][:1]
            )
            for number, slot in enumerate(inputs):
                if slot not in makers:
                    continue
                kind = _kind(graph, nodes.get(key), record, number, trail.back.run.tensors[slot])
                if kind is Edge.FLOW and is_alive and not arrived(slot):
                    kind = Edge.DEAD
                builder.edge(makers[slot], node, kind)
    ran = builder.build(
        {name: makers[slot] for name, slot in trail.handles.items() if slot in makers},
        list(dict.fromkeys(makers[slot] for slot in outputs if slot in makers)),
    )
    return Unrolled(attribute(replace(ran, places=_places(node_of))), node_of)


def _arrivals(trail: Trail) -> Callable[[int], bool]:
    """Return whether something other than zeros arrived at a slot, looked at once."""
    seen: dict[int, bool] = {}

    def arrived(slot: int) -> bool:
        if slot not in seen:
            seen[slot] = bool(arrived_at(trail.back, slot) & Arrived.SOMETHING)
        return seen[slot]

    return arrived


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
