"""Follow each input of a graph to the ops that limit its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gradflow.flow.input_use.consumers import consume
from gradflow.flow.input_use.passing import PASSING
from gradflow.flow.input_use.reading import Marks, Moved, Reading
from gradflow.flow.input_use.tf_examples import parse_features
from gradflow.flow.input_use.uses import Feature, Parts, RaggedParts, Source, SparseParts, Use, Uses
from gradflow.flow.input_use.wires import Frame, Shape, Wires, Wiring, function_wires, graph_wires
from gradflow.flow.lower.library import Library
from gradflow.flow.lower.references import Reference

_MOST = 200_000
"""Tensors that are followed; a graph that passes its inputs on more often than that is left half
known."""


def function_uses(
    library: Library, function: str, inputs: Mapping[int, str], shapes: Mapping[int, Shape]
) -> Uses:
    """Follow the inputs of a function.

    Args:
        library: where it and all that it calls is found.
        function: its name.
        inputs: names of the inputs by argument.
        shapes: of the variables that bound arguments stand for, by argument.
    """
    wires = function_wires(library, function)
    starts = {name: (~number, 0) for number, name in inputs.items()}
    return _follow(Wiring(library, shapes, {}), wires, starts)


def graph_uses(
    library: Library,
    graph_def: Any,
    inputs: Mapping[str, str],
    shapes: Mapping[str, Shape] | None = None,
) -> Uses:
    """Follow the inputs of a graph; both mappings are by the node that stands for the input or the
    variable."""
    wires = graph_wires(graph_def)
    starts = {name: (wires.index[node], 0) for node, name in inputs.items() if node in wires.index}
    return _follow(Wiring(library, {}, shapes or {}), wires, starts)


@dataclass(slots=True)
class _Walk:
    wiring: Wiring
    waiting: list[tuple[Frame, Reference, Moved]] = field(default_factory=list)
    sent: set[tuple[int, Reference, Source, bool, bool, bool]] = field(default_factory=set)
    marks: dict[Source, Marks] = field(default_factory=dict)
    features: dict[Source, tuple[Parts, str, tuple[int | None, ...]]] = field(default_factory=dict)
    triples: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    """Kept, so that their ``id`` stays theirs."""

    def send(self, frame: Frame, reference: Reference, moved: Moved) -> None:
        key = (id(frame), reference, moved.source, moved.is_exact, moved.is_shaped, moved.is_scaled)
        if key not in self.sent and len(self.sent) < _MOST:
            self.sent.add(key)
            self.waiting.append((frame, reference, moved))


def _follow(wiring: Wiring, wires: Wires, starts: Mapping[str, Reference]) -> Uses:
    walk = _Walk(wiring)
    top = Frame(wires)
    for name, reference in starts.items():
        walk.marks[(name,)] = Marks()
        walk.send(top, reference, Moved((name,)))
    while walk.waiting:
        frame, reference, moved = walk.waiting.pop()
        for number, input_number in frame.wires.readers.get(reference, ()):
            _read(walk, frame, number, input_number, moved)
        if frame.parent is not None and frame.returns:
            _return(walk, frame, reference, moved)
    return _summed(walk, starts)


def _read(walk: _Walk, frame: Frame, number: int, input_number: int, moved: Moved) -> None:
    node = frame.wires.nodes[number]
    wiring = walk.wiring
    callees = wiring.callees(node)
    for callee in callees:
        inner = wiring.enter(frame, number, callee)
        if inner is not None and input_number >= callee.first_input:
            walk.frames.append(inner)
            walk.send(inner, (~(input_number - callee.first_input), 0), moved)
    if callees:
        if wiring.is_loop(node):
            walk.send(frame, (number, input_number), moved)
        return
    reading = Reading(wiring, frame, number, node, input_number)
    if node.op in PASSING:
        for output in PASSING[node.op](reading, len(frame.wires.inputs[number])):
            walk.send(frame, (number, output), moved)
    for output, onward in consume(reading, moved, walk.marks[moved.source]):
        walk.send(frame, (number, output), onward)
    for output, feature in parse_features(reading) if input_number == 0 else ():
        _open(walk, frame, (number, output), moved.source, feature)
    role = reading.sparse_role()
    if role is not None and len(moved.source) == 1:
        walk.triples.setdefault((id(frame), number), {})[role] = moved.source[0]


def _open(
    walk: _Walk, frame: Frame, reference: Reference, parent: Source, feature: Feature
) -> None:
    """Follow a feature that is parsed out of an input as if it were an input of its own."""
    source = (*parent[:1], feature.key)
    walk.features.setdefault(source, (feature.parts, feature.dtype, feature.shape))
    walk.marks.setdefault(source, Marks())
    walk.send(frame, reference, Moved(source))


def _return(walk: _Walk, frame: Frame, reference: Reference, moved: Moved) -> None:
    parent = frame.parent
    if parent is None:
        return
    for output, result in enumerate(frame.wires.results):
        if result != reference:
            continue
        walk.send(parent, (frame.site, output), moved)
        if walk.wiring.is_loop(parent.wires.nodes[frame.site]):
            for (site, _), inner in list(parent.inner.items()):
                if site == frame.site:
                    walk.send(inner, (~output, 0), moved)


def _summed(walk: _Walk, starts: Iterable[str]) -> Uses:
    parsed: dict[str, list[Feature]] = {}
    for source, (parts, dtype, shape) in walk.features.items():
        use = walk.marks[source].use()
        parsed.setdefault(source[0], []).append(Feature(source[1], parts, dtype, shape, use))
    uses: dict[str, Use] = {}
    for name in starts:
        use = walk.marks[(name,)].use()
        features = tuple(sorted(parsed.get(name, ()), key=lambda feature: feature.key))
        uses[name] = replace(use, features=features) if features else use
    splits = [name for name in starts if walk.marks[(name,)].is_splits]
    return Uses(uses, tuple(_triples(walk)), tuple(_ragged(starts, splits)))


def _triples(walk: _Walk) -> Iterable[SparseParts]:
    triples = dict.fromkeys(
        SparseParts(roles["indices"], roles["values"], roles["dense_shape"])
        for roles in walk.triples.values()
        if len(set(roles.values())) == 3
    )
    used: set[str] = set()
    for triple in triples:
        names = {triple.indices, triple.values, triple.dense_shape}
        if not used & names:
            used |= names
            yield triple


def _ragged(names: Iterable[str], splits: Iterable[str]) -> Iterable[RaggedParts]:
    """Keras and TensorFlow name the parts of one argument ``x``, ``x_1``, ``x_2``: the values come
    first."""
    grouped: dict[str, list[str]] = {}
    for name in splits:
        stem, _, number = name.rpartition("_")
        grouped.setdefault(stem if number.isdigit() else "", []).append(name)
    all_names = set(names)
    for values, inner in grouped.items():
        if values in all_names and values not in inner:
            yield RaggedParts(
                values, tuple(sorted(inner, key=lambda name: int(name.rpartition("_")[2])))
            )
