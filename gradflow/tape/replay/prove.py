"""Try a repair: run the step once more with the cuts of it let through in the backward pass."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import tensorflow as tf

from gradflow.diagnose import Sighting, Trial
from gradflow.findings import Verdict
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph, Mark
from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.measured import with_dead_ends
from gradflow.flow.routes import Stop, held_edges, way
from gradflow.options import Options
from gradflow.tape.loaded_model import CallableModel
from gradflow.tape.measure import measure
from gradflow.tape.objective import drawn_direction
from gradflow.tape.replay.cut_bridge import CutBridge
from gradflow.tape.replay.locate import Placed, Scene, breaking, dead_sighting, place
from gradflow.tape.replay.unrolled import unrolled
from gradflow.tape.trace import Trace

_ROUNDS = 8
"""Ways that are tried, and dead ops behind each other that are looked for."""
_ASSIGNED = "what a call assigns to a variable is not followed through the variable"
_STOPPING = (Edge.DEAD, Edge.UNTAKEN, Edge.OVERWRITTEN)


@dataclass(frozen=True, slots=True)
class _Stage:
    """A step that can be taken again and again, with other cuts let through."""

    name: str
    """Of the variable that is to get a gradient."""
    placed: Placed
    ends: Mapping[int, Any]
    """As in ``CutBridge``."""
    keys: Mapping[int, NodeKey] = field(default_factory=dict)

    def scene(self, edges: Collection[int]) -> Scene:
        """Go backwards, over ``edges`` too."""
        placed = self.placed
        bridge = CutBridge(placed.graph, self.keys, placed.run, edges, self.ends)
        return placed.scene(bridge=bridge)

    def measured(self, scene: Scene) -> Any:
        """Return the Measurement of what arrived at the variable."""
        return measure(scene.trail.gradient_of(self.name))


def prove(
    model: CallableModel,
    traced: Trace,
    batch: Sequence[Any],
    options: Options,
    graph: FlowGraph,
    attributions: Mapping[str, Attribution],
    name: str,
) -> tuple[Trial, Attribution]:
    """Try the smallest repair of ``name`` in a step; return what it brought, and the way that was
    repaired.

    ``graph`` and ``attributions`` are those of the report. Where a dead op stands on their way, and
    another way with as few cuts brings the gradient, that is the one. Where the graph has a way
    without a cut, the cuts are those of the ways that the step took.

    Raises:
        ReplayError: the step cannot be run op by op.
    """
    placed = place(model, traced, batch, options)
    attribution = attributions[name]
    stops: Sequence[Stop] = way(graph, attribution)
    is_same = placed.graph.sources == graph.sources
    if not attribution.cuts_to_restore:
        stops = _stops_in_run(placed, name)
    elif not is_same:
        stops = _stops_in(placed.graph, graph, stops, name)
    if any(stop.cut and placed.graph.marks[stop.node] & Mark.WRITES for stop in stops):
        return Trial(obstacle=_ASSIGNED), attribution
    keys = {node: key for key, node in placed.nodes.items()}
    ends = _ends(placed, traced, options) if _is_discrete_end(placed.graph, stops) else {}
    stage = _Stage(name, placed, ends, keys)
    trial, dead = _tried(stage, stops)
    if not attribution.cuts_to_restore:
        trial = replace(trial, way=_stops_by_name(placed.graph, graph, stops))
    known: set[int] = set()
    for _ in range(_ROUNDS if is_same and dead and attribution.cuts_to_restore else 0):
        known |= dead
        other = attribute(_with_kind(graph, known, Edge.DEAD))[name]
        if other.cuts_to_restore != attribution.cuts_to_restore or other.path == attribution.path:
            break
        again, dead = _tried(stage, way(graph, other))
        if not again.stops:
            return again, replace(attribution, via=other.via)
        if not dead - known:
            break
    return trial, attribution


def _tried(stage: _Stage, stops: Sequence[Stop]) -> tuple[Trial, set[int]]:
    """Let the cuts on a way through; return what arrives, and the edges where it dies."""
    graph = stage.placed.graph
    edges = {edge for stop in stops if stop.cut for edge in held_edges(graph, stop.cut)}
    scene = stage.scene(edges)
    measured = stage.measured(scene)
    if measured.verdict is Verdict.FLOWS:
        return Trial(measured.gradient.norm), set()
    if measured.verdict is Verdict.NONFINITE:
        seen = breaking(replace(scene, graph=_bridged(graph, edges)), [stage.name])
        unknown = (Sighting(Edge.NONFINITE, None, None, "NaN or Inf"),)
        return Trial(None, seen.get(stage.name, unknown)), set()
    sightings: list[Sighting] = []
    first: set[int] = set()
    for _ in range(_ROUNDS):
        bridged = with_dead_ends(_bridged(graph, edges), scene.arrivals)
        dead = _dead_cuts(bridged, attribute(bridged)[stage.name])
        sightings += [dead_sighting(scene, bridged, cut, None) for cut in reversed(dead)]
        more = {edge for cut in dead for edge in _edges_from(bridged, cut)} - edges
        first = first or more
        if not more or any(cut.kind is not Edge.DEAD for cut in dead):
            break
        edges |= more
        scene = stage.scene(edges)
        if stage.measured(scene).verdict is Verdict.FLOWS:
            break
    unknown = (Sighting(Edge.DEAD, None, None, "only zeros arrive"),)
    return Trial(0.0, tuple(dict.fromkeys(sightings)) or unknown), first


def _dead_cuts(graph: FlowGraph, attribution: Attribution) -> list[Cut]:
    """Return what a step has shown on the way, from the variable to the output."""
    stops = way(graph, attribution)
    return [
        replace(stop.cut, source=stop.cut.source if stop.cut.source is not None else before.node)
        for before, stop in pairwise(stops)
        if stop.cut is not None and stop.cut.kind in _STOPPING
    ]


def _edges_from(graph: FlowGraph, cut: Cut) -> set[int]:
    edges = range(graph.first[cut.node], graph.first[cut.node + 1])
    return {edge for edge in edges if graph.sources[edge] == cut.source}


def _bridged(graph: FlowGraph, edges: Collection[int]) -> FlowGraph:
    """Return the graph as if its only ways led over what flows and over ``edges``."""
    kinds = bytearray(graph.kinds)
    for edge, kind in enumerate(kinds):
        if edge in edges:
            kinds[edge] = Edge.FLOW
        elif kind not in (Edge.FLOW, Edge.DISCRETE):
            kinds[edge] = Edge.FILL
    return replace(graph, kinds=kinds)


def _with_kind(graph: FlowGraph, edges: Iterable[int], kind: Edge) -> FlowGraph:
    kinds = bytearray(graph.kinds)
    for edge in edges:
        kinds[edge] = kind
    return replace(graph, kinds=kinds)


def _stops_in(
    live: FlowGraph, graph: FlowGraph, stops: Sequence[Stop], name: str
) -> Sequence[Stop]:
    """Return the stops of the traced graph ``live`` with the cuts of ``stops``, those of the file's
    own: its way where that has the same cuts, else the ops of the same names."""
    names = [(graph.names[stop.node], graph.ops[stop.node]) for stop in stops if stop.cut]
    attribution = attribute(live).get(name)
    own = way(live, attribution) if attribution is not None else ()
    if names == [(live.names[stop.node], live.ops[stop.node]) for stop in own if stop.cut]:
        return own
    cuts = {(graph.names[stop.node], graph.ops[stop.node]): stop.cut for stop in stops if stop.cut}
    return [
        Stop(node, fed=False, cut=replace(cuts[key], node=node))
        for node, key in enumerate(zip(live.names, live.ops, strict=True))
        if key in cuts
    ]


def _stops_in_run(placed: Placed, name: str) -> Sequence[Stop]:
    """Return the stops of the way that the step took, which the graph alone does not know: through
    which branches, with how many trips of a loop, and with which entries of what was joined."""
    scene = placed.scene()
    taken = unrolled(placed.graph, placed.nodes, scene.trail, scene.outputs).way(name)
    if taken:
        return taken
    graph = with_dead_ends(placed.graph, scene.arrivals)
    kinds = bytearray(graph.kinds)
    for edge, kind in enumerate(kinds):
        if kind in (Edge.UNTAKEN, Edge.OVERWRITTEN):
            kinds[edge] = Edge.FILL
    return way(graph, attribute(replace(graph, kinds=kinds))[name])


def _stops_by_name(live: FlowGraph, graph: FlowGraph, stops: Iterable[Stop]) -> tuple[Stop, ...]:
    """Return ``stops`` of the traced graph in the nodes of ``graph``: the file's own has the same
    ops, and others around them. Empty where it lacks one of the cuts."""
    nodes = {key: node for node, key in enumerate(zip(graph.names, graph.ops, strict=True))}

    def moved(node: int | None) -> int | None:
        return None if node is None else nodes.get((live.names[node], live.ops[node]))

    known: list[Stop] = []
    for stop in stops:
        node = moved(stop.node)
        if node is not None:
            cut = stop.cut and replace(
                stop.cut,
                node=node,
                reenters_at=moved(stop.cut.reenters_at),
                source=moved(stop.cut.source),
            )
            known.append(replace(stop, node=node, cut=cut))
        elif stop.cut is not None:
            return ()
    return tuple(known)


def _is_discrete_end(graph: FlowGraph, stops: Sequence[Stop]) -> bool:
    end = stops[-1].node if stops else None
    return end in graph.discrete_outputs and end not in graph.outputs


def _ends(placed: Placed, traced: Trace, options: Options) -> Mapping[int, Any]:
    """Return a gradient for each output that is not floating."""
    return {
        slot: tf.constant(
            drawn_direction(name, placed.run.tensors[slot].shape.as_list(), options.seed),
            tf.float32,
        )
        for name, slot in zip(traced.names, placed.run.outputs, strict=True)
        if slot not in placed.upstream and (not options.outputs or name in options.outputs)
    }
