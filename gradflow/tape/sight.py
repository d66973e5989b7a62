"""A subject and its batch in, a Scene out: where the gradients of zero and non-finite weights were lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from gradflow.diagnose import Sighting
from gradflow.flow.attribute import Attribution, Cut, attribute
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.layout import Place
from gradflow.flow.measured import Seen, seen, with_dead_ends, with_nonfinite_sources
from gradflow.options import Options
from gradflow.tape.backward import Backward, backward
from gradflow.tape.replay import ReplayError, replay
from gradflow.tape.sight_words import CANCELS, dead_words, nonfinite_words, origin_of_nonfinite
from gradflow.tape.step import direction
from gradflow.tape.subject import Subject
from gradflow.tape.trace import concrete_call, lower_concrete

Sightings = Mapping[str, tuple[Sighting, ...]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A step that was run op by op, beside its graph."""

    graph: FlowGraph
    seen: Seen
    back: Backward
    places: Mapping[int, Place]
    """By node."""
    nodes: Mapping[Place, int]

    @property
    def handles(self) -> Mapping[str, int]:
        """The slot of each variable, by its name."""
        slots = {self.nodes["", placeholder, "0"]: slot for placeholder, slot in self.back.run.fed.items()}
        return {name: slots[node] for name, node in self.graph.variables.items() if node in slots}


def look(subject: Subject, batch: Sequence[Any], options: Options) -> Scene | None:
    """Run one step op by op; None where the graph holds something that cannot be run so."""
    concrete, names = concrete_call(subject.call, batch)
    places: dict[Place, int] = {}
    graph = lower_concrete(concrete.graph, names, subject.watched, options.outputs, places)
    try:
        run = replay(concrete.graph, [*batch, *concrete.captured_inputs])
        sources = [run.fed[placeholder.op.name] for _, placeholder in concrete.graph.captures]
        upstream = {
            slot: _upstream(name, run.tensors[slot], options.seed)
            for name, slot in zip(names, run.outputs, strict=True)
            if (not options.outputs or name in options.outputs) and _is_floating(run.tensors[slot])
        }
        back = backward(run, upstream, sources)
    except ReplayError:
        return None
    for placeholder in run.fed:
        places.setdefault(("", placeholder, "0"), -1)  # no output depends on it
    return Scene(graph, seen(graph, places, back.nodes, back.edges), back, {n: p for p, n in places.items()}, places)


def _is_floating(value: Any) -> bool:
    return bool(value.dtype.is_floating or value.dtype.is_complex)


def _upstream(name: str, value: Any, seed: int) -> Any:
    """The gradient of the objective with respect to an output (see ``step.project``)."""
    real = tf.math.real(value) if value.dtype.is_complex else value
    real = real if real.dtype == tf.float64 else tf.cast(real, tf.float32)
    drawn = direction(name, real, seed)
    return tf.cast(tf.complex(drawn, drawn) if value.dtype.is_complex else drawn, value.dtype)


def dying(scene: Scene, names: Iterable[str]) -> Sightings:
    """See where the gradients of ``names``, all of them zero, die; what cannot be told is missing."""
    graph = with_dead_ends(scene.graph, scene.seen)
    known: dict[Cut, Sighting] = {}
    found: dict[str, tuple[Sighting, ...]] = {}
    attributions = attribute(graph, nearest=True)
    for name in names:
        mine = attributions.get(name)
        cuts = [cut for cut in mine.causes if cut.kind in (Edge.DEAD, Edge.UNTAKEN)] if mine is not None else []
        for cut in cuts:
            if cut not in known:
                known[cut] = _untaken(graph, cut) if cut.kind is Edge.UNTAKEN else _dying(scene, graph, cut)
        on_path = {known[cut] for cut in cuts if mine is not None and cut.node in mine.path}
        # Of several ops whose gradients cancel each other, the one on the drawn way stands for all.
        sightings = [known[cut] for cut in cuts if known[cut].detail != CANCELS or known[cut] in on_path]
        found[name] = tuple(dict.fromkeys(sightings))
    return {name: sightings for name, sightings in found.items() if sightings}


def breaking(scene: Scene, names: Iterable[str]) -> Sightings:
    """See where the gradients of ``names`` become NaN or Inf; what cannot be told is missing."""
    graph = with_nonfinite_sources(scene.graph, scene.seen)
    attributions = attribute(graph, nearest=True)
    found: dict[str, tuple[Sighting, ...]] = {}
    for name in names:
        mine = attributions.get(name)
        cuts = [cut for cut in mine.causes if cut.kind is Edge.NONFINITE] if mine is not None else []
        sightings = [_nonfinite_sighting(scene, cut, mine) for cut in cuts if mine is not None]
        found[name] = tuple(dict.fromkeys(sightings))
    return {name: sightings for name, sightings in found.items() if sightings}


def _untaken(graph: FlowGraph, cut: Cut) -> Sighting:
    owner, _, part = graph.names[cut.node].rpartition("/")
    return Sighting(Edge.UNTAKEN, owner, graph.ops[cut.node], _untaken_words(graph, cut.node, part))


def _dying(scene: Scene, graph: FlowGraph, cut: Cut) -> Sighting:
    start, end = graph.first[cut.node], graph.first[cut.node + 1]
    inputs = [edge - start for edge in range(start, end) if graph.kinds[edge] == Edge.DEAD]
    words = dead_words(scene.back, scene.places.get(cut.node), inputs, scene.handles)
    return Sighting(Edge.DEAD, graph.names[cut.node], graph.ops[cut.node], words)


def _untaken_words(graph: FlowGraph, gate: int, part: str) -> str:
    """Name the branch and what decides over it."""
    target = next(
        node for node in range(len(graph)) if gate in graph.sources[graph.first[node] : graph.first[node + 1]]
    )
    condition = next(
        (
            _decider(graph, graph.sources[edge])
            for edge in range(graph.first[target], graph.first[target + 1])
            if graph.kinds[edge] in (Edge.DISCRETE, Edge.CUT)
        ),
        "",
    )
    what = "makes no trip" if part == "body" else f"does not take its branch {part!r}"
    return f"{what} for this input{condition}"


def _decider(graph: FlowGraph, node: int) -> str:
    """The op that makes a condition, behind what only passes it on."""
    while graph.ops[node] in ("Identity", "LogicalAnd", *_PASSING) and graph.first[node] < graph.first[node + 1]:
        node = graph.sources[graph.first[node]]
    return f" (condition {graph.ops[node]} {graph.names[node]!r})"


_PASSING = frozenset(
    "If StatelessIf Case StatelessCase While StatelessWhile PartitionedCall StatefulPartitionedCall Squeeze".split()
)


def _nonfinite_sighting(scene: Scene, cut: Cut, mine: Attribution) -> Sighting:
    graph = scene.graph
    place = scene.places.get(cut.node)
    origin = origin_of_nonfinite(scene.back, place)
    node = cut.node
    if origin is not None and origin.place is not None:
        node = scene.nodes.get(origin.place, node)
    elif origin is not None:
        fed = scene.back.run.fed.get(origin.fed or "")
        weight = next((name for name, slot in scene.handles.items() if slot == fed), None)
        what = f"the weight {weight!r}" if weight is not None else "the input"
        return Sighting(Edge.NONFINITE, None, None, f"{what} itself holds NaN or Inf")
    detail = nonfinite_words(scene.back, scene.places.get(node))
    path = mine.path
    later = path[path.index(cut.node) + 1 :] if cut.node in path else ()
    chosen = next((other for other in later if graph.ops[other] in ("Select", "SelectV2")), None)
    if chosen is not None:
        detail += f", in the unselected side of {graph.ops[chosen]} {graph.names[chosen]!r}"
    return Sighting(Edge.NONFINITE, graph.names[node], graph.ops[node], detail)
