"""Replay a step and find where the gradients of zero and non-finite weights were lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from gradflow.catalogue.data_fixes import OTHER_BRANCH_FIX, SWITCH_FIX
from gradflow.diagnose import Sighting
from gradflow.diagnose.evidence import GIVES_ZEROS
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph, Mark
from gradflow.flow.lower.layout import NodeKey
from gradflow.flow.measured import (
    Arrivals,
    Arrived,
    arrivals_of,
    with_dead_ends,
    with_nonfinite_sources,
)
from gradflow.flow.nearest import nearest_loop
from gradflow.flow.origins import source_finder
from gradflow.ops.families import CONTROL_FLOW, RANDOM
from gradflow.options import Options
from gradflow.tape.loaded_model import CallableModel
from gradflow.tape.objective import direction, real_parts
from gradflow.tape.replay.backward import Bridge, arrived_at, backward
from gradflow.tape.replay.chance import odds_of_same
from gradflow.tape.replay.forward import replay
from gradflow.tape.replay.index import Trail, trail
from gradflow.tape.replay.nonfinite import origin, words
from gradflow.tape.replay.record import ReplayError, Run, is_number
from gradflow.tape.replay.unrolled import unrolled
from gradflow.tape.replay.zero_gradients import UNUSED_ENTRIES, death
from gradflow.tape.trace import Trace, live_library, lower_trace

_BEHIND_CONDITIONS = CONTROL_FLOW | {"Identity", "LogicalAnd", "Squeeze"}
"""Ops that pass on what decides over a branch."""
_COMPARISONS = frozenset(
    {"Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "IsNan", "IsFinite"}
)
Sightings = Mapping[str, tuple[Sighting, ...]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A step that was run op by op, beside its graph."""

    graph: FlowGraph
    arrivals: Arrivals
    trail: Trail
    keys: Mapping[int, NodeKey]
    """By node."""
    nodes: Mapping[NodeKey, int]
    layer_of: Callable[[int], str | None]
    source_of: Callable[[int], str | None]
    outputs: Mapping[int, Any]
    """The gradient of the objective with respect to each output, by slot."""
    opened: Callable[[Collection[NodeKey]], Scene]
    """Brings the gradient back once more, while some ops hand on what they get."""

    def sighting(self, kind: Edge, node: int, detail: str, **more: Any) -> Sighting:
        """Return a sighting at a node of the graph."""
        graph = self.graph
        origin = self.layer_of(node), self.source_of(node)
        return Sighting(kind, graph.names[node], graph.ops[node], detail, *origin, **more)

    def draws_gradient(self, name: str) -> bool:
        """Return whether a gradient that is not zero arrived at a variable, and something in the
        step was drawn at random."""
        handle, back = self.trail.handles.get(name), self.trail.back
        arrives = handle is not None and bool(arrived_at(back, handle) & Arrived.SOMETHING)
        return arrives and any(record.op in RANDOM for record in back.run.records)


@dataclass(frozen=True, slots=True)
class Placed:
    """A step that was run forward, and the nodes of its graph."""

    layer_of: Callable[[int], str | None]
    graph: FlowGraph
    nodes: Mapping[NodeKey, int]
    run: Run
    upstream: Mapping[int, Any]
    """The gradient of the objective with respect to each selected output, by slot."""
    sources: Sequence[int]
    """Slots of what the graph captures."""
    closed: frozenset[str] = frozenset()
    """Ops of the outermost graph that hand on nothing: the tape did not record them."""

    def scene(self, opened: Collection[NodeKey] = (), bridge: Bridge | None = None) -> Scene:
        """Bring the gradient back, where the ops at the places ``opened`` hand on what they get,
        and over the cuts that ``bridge`` lets it.

        Raises:
            ReplayError: a gradient function cannot be run by itself.
        """
        graph, nodes, run = self.graph, self.nodes, self.run
        back = backward(run, self.upstream, self.sources, opened, bridge=bridge, closed=self.closed)
        slots = {
            nodes[NodeKey("", placeholder, "0")]: slot
            for placeholder, slot in run.fed.items()
            if ("", placeholder, "0") in nodes
        }
        handles = {name: slots[node] for name, node in graph.variables.items() if node in slots}
        return Scene(
            graph=graph,
            arrivals=arrivals_of(graph, nodes, back.nodes, back.edges),
            trail=trail(back, handles),
            keys={node: key for key, node in nodes.items()},
            nodes=nodes,
            layer_of=self.layer_of,
            source_of=source_finder(graph),
            outputs=self.upstream,
            opened=self.scene,
        )


def place(model: CallableModel, traced: Trace, batch: Sequence[Any], options: Options) -> Placed:
    """Run the forward pass of the traced call op by op.

    Raises:
        ReplayError: the graph holds something that cannot be run so.
    """
    nodes: dict[NodeKey, int] = {}
    concrete, names = traced.concrete, traced.names
    library = live_library(concrete.graph)
    graph = lower_trace(traced, model.handles, options.outputs, nodes, library=library)
    run = replay(concrete.graph, [*batch, *concrete.captured_inputs], library.recomputed)
    sources = [run.fed[placeholder.op.name] for _, placeholder in concrete.graph.captures]
    upstream = {
        slot: _upstream(name, run.tensors[slot], options.seed)
        for name, slot in zip(names, run.outputs, strict=True)
        if (not options.outputs or name in options.outputs) and is_number(run.tensors[slot])
    }
    return Placed(
        layer_of=model.layer_of(graph),
        graph=graph,
        nodes=nodes,
        run=run,
        upstream=upstream,
        sources=sources,
    )


def look(
    model: CallableModel, traced: Trace, batch: Sequence[Any], options: Options
) -> Scene | None:
    """Run one step of the traced call op by op; None where the graph holds something that cannot be
    run so."""
    try:
        return place(model, traced, batch, options).scene()
    except ReplayError:
        return None


def _upstream(name: str, value: Any, seed: int) -> Any:
    """Return the gradient of the objective with respect to an output (see
    ``objective.project``)."""
    drawn = [
        direction(part, real if real.dtype == tf.float64 else tf.cast(real, tf.float32), seed)
        for part, real in real_parts(name, value)
    ]
    return tf.cast(tf.complex(*drawn) if value.dtype.is_complex else drawn[0], value.dtype)


def dying(scene: Scene, names: Iterable[str]) -> Sightings:
    """See where the gradients of ``names``, all of them zero, die; what cannot be told is
    missing."""
    deaths = _deaths(scene, names)
    sightings_of = {
        name: tuple(dict.fromkeys(sighting for _, sighting in seen))
        for name, seen in deaths.items()
    }
    further = _behind_units(scene, deaths)
    return {
        name: tuple(dict.fromkeys((*_deepest(sightings_of, sightings), *further.get(name, ()))))
        for name, sightings in sightings_of.items()
    }


_Deaths = Mapping[str, Sequence[tuple[Cut, Sighting]]]


def _deaths(scene: Scene, names: Iterable[str]) -> _Deaths:
    """Return where the gradients of ``names`` die, counted from the output."""
    graph = with_dead_ends(scene.graph, scene.arrivals)
    sighting_of: dict[Cut, Sighting] = {}
    deaths: dict[str, Sequence[tuple[Cut, Sighting]]] = {}
    attributions = attribute(graph)
    ran = unrolled(scene.graph, scene.nodes, scene.trail, scene.outputs)
    loops = nearest_loop(graph)
    for name in names:
        attribution = attributions.get(name)
        if attribution is None:
            continue
        steps, cuts = ran.cuts(name)
        if cuts and all(cut.node >= 0 for cut in cuts):
            cuts = [*_without_choices(graph, cuts), *_other_branches(graph, attribution, cuts)]
        else:
            steps, cuts = attribution.cuts_to_restore or 0, _telling(attribution.causes)
            loop = None if ran.reaches(name) else loops.node(attribution)
            late = None if loop is None else _too_late(scene, graph, loop, cuts)
            if late is not None:
                deaths[name] = [late]
                continue
        for cut in cuts:
            if cut not in sighting_of:
                sighting_of[cut] = dead_sighting(scene, graph, cut, steps)
        if cuts:
            deaths[name] = [(cut, sighting_of[cut]) for cut in cuts]
    return deaths


def _behind_units(scene: Scene, deaths: _Deaths) -> Sightings:
    """Return what else is wrong behind units that are off, where to open these alone would not
    help: a normalization over a single value, another unit."""
    off = {
        name: {scene.keys[cut.node] for cut, _ in seen}
        for name, seen in deaths.items()
        if all(_is_unit(scene, cut, sighting) for cut, sighting in seen)
    }
    try:
        opened = scene.opened(set().union(*off.values())) if off else scene
    except ReplayError:
        return {}
    further = _deaths(opened, off) if off else {}
    return {
        name: tuple(
            sighting
            for cut, sighting in seen
            if cut.kind is Edge.DEAD
            and not sighting.weight
            and sighting.detail not in (GIVES_ZEROS, UNUSED_ENTRIES)
        )
        for name, seen in further.items()
    }


def _is_unit(scene: Scene, cut: Cut, sighting: Sighting) -> bool:
    """Return whether the gradient dies at a unit that is off, and nothing before it explains
    that."""
    is_there = cut.node in scene.keys and sighting.op == scene.graph.names[cut.node]
    return is_there and sighting.fix == SWITCH_FIX


def _too_late(
    scene: Scene, graph: FlowGraph, loop: int, cuts: Sequence[Cut]
) -> tuple[Cut, Sighting] | None:
    """Return ``loop``, the first on a variable's way, where its trips were too few to bring the
    data to an output: then the cuts in its body, which did run, hold nothing back, and nothing has
    died there."""
    kinds = (Edge.CUT, Edge.ZERO, Edge.RESULT, Edge.OVERWRITTEN, Edge.DEAD)
    if not all(
        cut.kind in kinds and f"{graph.names[cut.node]}/".startswith(f"{graph.names[loop]}/")
        for cut in cuts
    ):
        return None
    words = "makes too few trips for this input to bring them to an output"
    sighting = scene.sighting(Edge.UNTAKEN, loop, words, fix=OTHER_BRANCH_FIX)
    return Cut(loop, Edge.UNTAKEN, None), sighting


def _without_choices(graph: FlowGraph, cuts: Sequence[Cut]) -> list[Cut]:
    """Return the causes without the comparisons that only choose what a dead unit passes on."""
    is_dead = any(cut.kind is Edge.DEAD for cut in cuts)
    return [
        cut
        for cut in cuts
        if not (is_dead and cut.kind is Edge.DISCRETE and graph.ops[cut.node] in _COMPARISONS)
    ]


def _other_branches(
    graph: FlowGraph, attribution: Attribution, cuts: Sequence[Cut]
) -> Iterable[Cut]:
    """Yield the branches that did not run, unless what holds back is in the branch beside them, or
    is a cut: that one to open is enough."""
    if any(cut.kind is not Edge.DEAD for cut in cuts):
        return
    for gate in attribution.causes:
        owner = graph.names[gate.node].rpartition("/")[0]
        if gate.kind is Edge.UNTAKEN and not any(
            graph.names[cut.node].startswith(f"{owner}/") for cut in cuts
        ):
            yield gate


def _telling(cuts: Iterable[Cut]) -> list[Cut]:
    """Return of several kinds of cuts those that say most: what died or was not run, then what only
    this run leads to."""
    kinds = [
        (Edge.DEAD, Edge.UNTAKEN),
        (Edge.CUT, Edge.ZERO, Edge.DISCRETE, Edge.RESULT),
        (Edge.OVERWRITTEN,),
    ]
    groups = [[cut for cut in cuts if cut.kind in some] for some in kinds]
    return next((some for some in groups if some), [])


def _deepest(sightings_of: Sightings, sightings: tuple[Sighting, ...]) -> tuple[Sighting, ...]:
    """Where a gradient is multiplied with a weight of zeros that gets none itself, what that weight
    lacks counts."""
    deeper: list[Sighting] = []
    for sighting in sightings:
        behind = sightings_of.get(sighting.weight, ()) if sighting.weight is not None else ()
        ends = bool(behind) and all(deeper_sighting.weight is None for deeper_sighting in behind)
        deeper += behind if ends else (sighting,)
    return tuple(dict.fromkeys(deeper))


def dead_sighting(
    scene: Scene, graph: FlowGraph, cut: Cut, cuts_to_restore: int | None
) -> Sighting:
    """Say what happens at a cut of ``graph``, the graph of ``scene`` with what the step showed."""
    if cut.kind is Edge.UNTAKEN:
        owner = _owner(graph, cut.node)
        part = graph.names[cut.node].rpartition("/")[2]
        chance = _chance_of_branch(scene, graph, owner)
        words = _untaken_words(graph, owner, part)
        return scene.sighting(cut.kind, owner, words, fix=OTHER_BRANCH_FIX, chance=chance)
    if cut.kind is Edge.OVERWRITTEN:
        return scene.sighting(cut.kind, cut.node, "overwrites the initial value in its first trip")
    if cut.kind is not Edge.DEAD:
        back = None if cut.reenters_at is None else graph.names[cut.reenters_at]
        more = {
            "mark": graph.marks[cut.node],
            "reenters_at": back,
            "cuts_to_restore": cuts_to_restore or 1,
        }
        return scene.sighting(cut.kind, cut.node, "", **more)
    start, end = graph.first[cut.node], graph.first[cut.node + 1]
    inputs = [edge - start for edge in range(start, end) if graph.sources[edge] == cut.source]
    died = death(scene.trail, scene.keys.get(cut.node), inputs)
    node = scene.nodes.get(died.key, cut.node) if died.key is not None else cut.node
    return scene.sighting(
        Edge.DEAD, node, died.words, fix=died.fix, weight=died.weight, chance=died.chance
    )


def breaking(scene: Scene, names: Iterable[str]) -> Sightings:
    """See where the gradients of ``names`` become NaN or Inf; what cannot be told is missing."""
    graph = with_nonfinite_sources(scene.graph, scene.arrivals)
    attributions = attribute(graph)
    sightings_of: dict[str, tuple[Sighting, ...]] = {}
    for name in names:
        attribution = attributions.get(name)
        cuts = (
            [cut for cut in attribution.causes if cut.kind is Edge.NONFINITE]
            if attribution is not None
            else []
        )
        sightings = [
            _nonfinite_sighting(scene, cut, attribution) for cut in cuts if attribution is not None
        ]
        sightings_of[name] = tuple(dict.fromkeys(sightings))
    return {name: sightings for name, sightings in sightings_of.items() if sightings}


def _nonfinite_sighting(scene: Scene, cut: Cut, attribution: Attribution) -> Sighting:
    graph = scene.graph
    first = origin(scene.trail, scene.keys.get(cut.node))
    if first.key is None:
        holder = f"the weight {first.weight!r}" if first.weight is not None else "the input"
        return Sighting(Edge.NONFINITE, None, None, f"{holder} itself holds NaN or Inf")
    node = scene.nodes.get(first.key, cut.node)
    detail = words(scene.trail, first.key)
    later = (
        attribution.path[attribution.path.index(cut.node) + 1 :]
        if cut.node in attribution.path
        else ()
    )
    chosen = next(
        (later_node for later_node in later if graph.ops[later_node] in ("Select", "SelectV2")),
        None,
    )
    if chosen is not None:
        detail += f", in the unselected side of {graph.ops[chosen]} {graph.names[chosen]!r}"
    return scene.sighting(Edge.NONFINITE, node, detail)


def _owner(graph: FlowGraph, gate: int) -> int:
    """Return the node of the cond, case or loop that a gate belongs to."""
    fed = [
        node
        for node in range(len(graph))
        if gate in graph.sources[graph.first[node] : graph.first[node + 1]]
    ]
    return next((node for node in fed if graph.marks[node] & Mark.CARRIED), fed[0])


def _chance_of_branch(scene: Scene, graph: FlowGraph, owner: int) -> float:
    """Return how likely it is that a condition comes out as it did; 0 where nothing random decides
    over it."""
    deciding = _condition(graph, owner)
    key = None if deciding is None else scene.keys.get(deciding)
    records = scene.trail.runs.get(key, ()) if key is not None else ()
    if key is None or not records or not records[-1].outputs:
        return 0.0
    record = records[-1]
    number = record.keys.index(key) if len(record.keys) > 1 else 0
    return odds_of_same(scene.trail, record.outputs[number]) or 0.0


def _condition(graph: FlowGraph, owner: int) -> int | None:
    """Return the node of what decides over a cond, case or loop."""
    edges = range(graph.first[owner], graph.first[owner + 1])
    return next(
        (graph.sources[edge] for edge in edges if graph.kinds[edge] in (Edge.DISCRETE, Edge.CUT)),
        None,
    )


def _untaken_words(graph: FlowGraph, owner: int, part: str) -> str:
    """Name the branch and what decides over it."""
    deciding = _condition(graph, owner)
    condition = "" if deciding is None else _decider(graph, deciding)
    clause = "makes no trip" if part == "body" else f"does not take its branch {part!r}"
    return f"{clause} for this input{condition}"


def _decider(graph: FlowGraph, node: int) -> str:
    """Return the op that makes a condition, behind what only passes it on."""
    while graph.ops[node] in _BEHIND_CONDITIONS and graph.first[node] < graph.first[node + 1]:
        node = graph.sources[graph.first[node]]
    return f" (condition {graph.ops[node]} {graph.names[node]!r})"
