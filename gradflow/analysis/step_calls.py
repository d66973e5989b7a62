"""Tell which gradient call of a training step speaks for each weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from gradflow.diagnose import Measurement
from gradflow.findings import Role, Verdict
from gradflow.flow.attribute import Attribution, attribute
from gradflow.lazy_dataclass import dataclass
from gradflow.tape.watching.call_graphs import CallGraph, scene_of
from gradflow.tape.watching.gradient_calls import Application
from gradflow.tape.watching.recorder import Record, most_telling
from gradflow.tape.watching.variables import Weight


@dataclass(frozen=True, slots=True)
class Scene:
    """The graph of a gradient call, and what it says of the weights."""

    graph: CallGraph
    ways: Mapping[str, Attribution]


@dataclass(slots=True)
class Step:
    """A record, with what was asked about each of its weights."""

    record: Record
    weights: Sequence[Weight]
    scenes: dict[int, Scene | None] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    moved: dict[str, bool | None] = field(default_factory=dict)

    def scene(self, number: int) -> Scene | None:
        """Return the graph of a gradient call, and what it says of the weights."""
        if number not in self.scenes:
            graph = scene_of(self.record, self.record.calls[number], self.names)
            self.scenes[number] = None if graph is None else Scene(graph, attribute(graph.flow))
        return self.scenes[number]

    def asking(self, weight: Weight) -> list[int]:
        """Return the numbers of the gradient calls that named a weight."""
        return [
            number
            for number, call in enumerate(self.record.calls)
            if any(handle in call.asked for handle in weight.handles)
        ]

    def measured(self, number: int, weight: Weight) -> list[Measurement]:
        """Return what a gradient call brought for a weight, in each run and replica."""
        asked = self.record.calls[number].asked
        return [item for handle in weight.handles for item in asked.get(handle, ())]

    def given(self, weight: Weight) -> list[Application]:
        """Return the applications that an optimizer was given the weight in."""
        return [
            application
            for application in self.record.applications
            if any(handle in application.given for handle in weight.handles)
        ]


def as_meant(record: Record, weight: Weight) -> Weight:
    """Return a plain variable that the step asks a gradient for as one that is to be trained,
    whatever it was made as; a frozen weight of Keras stays frozen."""
    stored = weight.stored
    named = {number for call in record.calls for number in call.asked}
    is_asked = not named.isdisjoint(weight.handles)
    if stored.role is Role.STATE or stored.trainable or weight.is_of_keras or not is_asked:
        return weight
    return replace(weight, stored=replace(stored, trainable=True))


def takes_part(step: Step, weight: Weight) -> bool:
    """Return whether a variable belongs to what is trained: one that the step only reads, as the
    sums of a metric are, leads to no loss."""
    if weight.is_owned or step.asking(weight) or step.given(weight) or step.record.hides_calls:
        return True
    numbers = range(len(step.record.calls))
    ways = (scene.ways.get(weight.stored.name) for scene in map(step.scene, numbers) if scene)
    return any(way is not None and way.cuts_to_restore is not None for way in ways)


@dataclass(frozen=True, slots=True)
class Group:
    """Weights that one gradient call speaks for."""

    call: int | None
    weights: tuple[Weight, ...]
    is_asked: bool
    """Whether that call named them; else it only reads them, or not even that."""


def groups_of(step: Step) -> Iterator[Group]:
    """Put the weights together that one call speaks for: the one that brought them most, else one
    whose loss they lead to."""
    groups: dict[tuple[int | None, bool], list[Weight]] = {}
    for weight in step.weights:
        asking = step.asking(weight)
        if asking:
            key: tuple[int | None, bool] = (_best(step, weight, asking), True)
        elif weight.stored.role is Role.STATE:
            key = (None, True)
        else:
            key = (_leading(step, weight, range(len(step.record.calls))), False)
        groups.setdefault(key, []).append(weight)
    for (call, is_asked), weights in groups.items():
        yield Group(call, tuple(weights), is_asked)


def _best(step: Step, weight: Weight, asking: Sequence[int]) -> int:
    brought = {number: step.measured(number, weight) for number in asking}
    told = {number: most_telling(items) for number, items in brought.items() if items}
    if not told:
        return asking[0]
    best = most_telling(list(told.values()))
    alike = [number for number in told if told[number].verdict is best.verdict]
    if best.verdict is Verdict.NONE and len(alike) > 1:
        return _leading(step, weight, alike) or alike[0]
    return alike[0]


def _leading(step: Step, weight: Weight, calls: Iterable[int]) -> int | None:
    """Return the call to whose targets a weight leads with the fewest cuts; else the first of
    them that has a graph."""
    ways: list[tuple[bool, int, int]] = []
    for number in calls:
        scene = step.scene(number)
        if scene is not None:
            attribution = scene.ways.get(weight.stored.name)
            cuts = None if attribution is None else attribution.cuts_to_restore
            ways.append((cuts is None, cuts or 0, number))
    return min(ways)[2] if ways else None
