"""Keep what was seen of a step: gradients that were asked for and applied, layers, ops."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import tensorflow as tf

from gradflow.diagnose import Measurement
from gradflow.findings import Verdict
from gradflow.tape.watching.eager_ops import EagerOps, Place
from gradflow.tape.watching.gradient_calls import Application, GradientCall, Noted
from gradflow.tape.watching.kept_traces import Look
from gradflow.tape.watching.variables import Values, key_of

ALL_TAPES = -1
"""Stands for a tape that missed nothing."""


@dataclass(slots=True, eq=False)
class Record:
    """All that was seen of a step."""

    calls: list[GradientCall] = field(default_factory=list)
    applications: list[Application] = field(default_factory=list)
    owners: list[Any] = field(default_factory=list)
    """The models and layers that were called, or that the user named."""
    tapes: set[int] = field(default_factory=set)
    """The numbers of the tapes that began to record meanwhile."""
    read: set[int] = field(default_factory=set)
    """The handles of the variables that were read."""
    eager: EagerOps = field(default_factory=EagerOps)
    left: dict[Place, int] = field(default_factory=dict)
    """What was taken out of TensorFlow as an array or a number, with how many ops had run."""
    noted: dict[Any, dict[str, Noted]] = field(default_factory=dict)
    """For each graph that was traced for the report, its ops by name."""
    graphs: dict[str, Any] = field(default_factory=dict)
    """The graph of each function that was called eagerly, by its name."""
    variables: dict[int, weakref.ref[Any]] = field(default_factory=dict)
    """Those that there were when it began, by the numbers of their handles."""
    before: Values = field(default_factory=Values)
    """What the variables held when it began."""
    written: dict[int, str | None] = field(default_factory=dict)
    """The handles of variables that an op other than an optimizer's wrote to, with the user's
    line."""
    obstacles: list[str] = field(default_factory=list)
    """What could not be looked into, and why."""
    hides_calls: bool = False
    """Whether a function that trains could not be traced, so that its gradient calls are not
    known."""
    traced: bool = False
    """Whether a function was traced once more for the report."""
    trained_by_call: set[int] = field(default_factory=set)
    """The handles that functions which the user called write to."""
    trained_by_trace: set[int] | None = field(default_factory=set)
    """Those that the same functions write to when they are traced now: flags may have changed.
    None where one could not be traced."""
    traces: list[Any] = field(default_factory=list)
    """Those that were made for the report."""
    draws_anew: bool = False
    """Whether the trace for the report draws other random numbers than the user's own."""
    looks: list[Look] = field(default_factory=list)
    """The traces that were run for the report."""
    further_calls: int = 0
    """How often a function was called again that had been looked into."""
    looked_into: set[int] = field(default_factory=set)
    """The traces of the user's that were, by ``id``; ``kept`` holds them."""
    kept: list[Any] = field(default_factory=list)
    """What has to stay alive: TensorFlow forgets a function with the last reference."""

    def keep_start(self, call: GradientCall, upstream: Sequence[Any]) -> None:
        """Keep what an eager ``call`` started from, once for each line of the user's and what it
        asks for."""
        is_known = any(
            before.start.run is not None
            and before.source == call.source
            and before.asked.keys() == call.asked.keys()
            for before in self.calls
        )
        if is_known or call.start.obstacle or call.is_partial:
            return
        call.start.outputs = self.eager.kept(call.targets)
        call.start.upstream, call.start.run = list(upstream), 0

    def add_look(self, look: Look) -> None:
        """Take over what a run of a trace has measured."""
        for call in look.calls:
            asked = {number: list(measured) for number, measured in call.asked.items()}
            self.calls.append(replace(call, asked=asked, start=replace(call.start)))
        for application in look.applications:
            given = {number: list(measured) for number, measured in application.given.items()}
            self.applications.append(replace(application, given=given, results=[]))
        self.noted.update(look.noted)
        self.looks.append(look)
        for owner in look.owners:
            self.add_owner(owner)

    def add_owner(self, owner: Any) -> None:
        """Note that a model or layer was called."""
        if all(owner is not known for known in self.owners):
            self.owners.append(owner)

    @property
    def is_in_graph(self) -> bool:
        """Return whether some gradient was asked for in a function that was traced."""
        return any(call.graph is not None for call in self.calls)


class Thread(threading.local):
    """What one thread does at the moment."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.tapes: dict[int, int] = {}
        """The number of each tape that records, by the ``id`` of the tape."""
        self.active: frozenset[int] = frozenset()
        self.layers: list[tuple[Any, str]] = []
        """The layers that are being called, outermost first, with their paths."""
        self.quiet = 0
        """How many callers want no op to be recorded."""
        self.applying = 0
        self.differentiating = 0
        """How many gradients are being computed: what one calls for itself is no call of the
        user's."""
        self.graph: Any | None = None
        """Of the function that is being called."""

    @contextmanager
    def without_ops(self, is_quiet: bool = True) -> Iterator[None]:
        """Record no op meanwhile."""
        self.quiet += is_quiet
        try:
            yield
        finally:
            self.quiet -= is_quiet

    @property
    def layer(self) -> str:
        """The path of the innermost layer."""
        return self.layers[-1][1] if self.layers else ""


here = Thread()
"""What this thread does."""


def flat_gradients(result: Any) -> list[Any]:
    """Return gradients as a flat list; IndexedSlices and None are one each."""
    return list(tf.nest.flatten(result))


def paired(sources: Any, result: Any) -> list[tuple[int, Any]]:
    """Return what came back for each variable among ``sources``, with the number of its handle."""
    pairs = zip(tf.nest.flatten(sources), flat_gradients(result), strict=False)
    numbered = ((key_of(source), gradient) for source, gradient in pairs)
    return [(number, gradient) for number, gradient in numbered if number is not None]


def targets_in(target: Any, place: Callable[[Any], Place | None]) -> list[Place]:
    """Return the recorded ops that made the tensors of ``target``."""
    flat = tf.nest.flatten(target, expand_composites=True)
    places = [place(tensor) for tensor in flat if hasattr(tensor, "_id")]
    return [item for item in places if item is not None]


_BEST = (Verdict.NONFINITE, Verdict.FLOWS, Verdict.ZERO, Verdict.NONE)


def most_telling(measurements: Sequence[Measurement]) -> Measurement:
    """Return what counts of several gradients of one weight: one that is not finite, else one that
    is not zero."""
    return min(measurements, key=lambda measurement: _BEST.index(measurement.verdict))
