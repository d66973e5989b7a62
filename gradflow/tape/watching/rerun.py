"""Run the step behind a gradient call again, op by op, from what it started from.

Nothing of the user's is touched: the variables stand for themselves as copies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Measurement, Sighting
from gradflow.findings import Verdict
from gradflow.ops.families import PLAIN_READS
from gradflow.tape.gradient_registry import without_lookup_errors
from gradflow.tape.inputs.batch import Batch
from gradflow.tape.lasting_zeros import judged
from gradflow.tape.loaded_model import HALVES, SINGLE, Step, Watched
from gradflow.tape.measure import measure
from gradflow.tape.private_api import ResourceVariable
from gradflow.tape.replay.backward import backward
from gradflow.tape.replay.forward import Kept, replay_graph
from gradflow.tape.replay.locate import Placed, Scene, Sightings, breaking, dying
from gradflow.tape.replay.record import Gradient, Run, is_number
from gradflow.tape.replay.shift_invariance import cancelled
from gradflow.tape.watching.call_graphs import CallGraph
from gradflow.tape.watching.eager_ops import EagerOp, custom_name
from gradflow.tape.watching.gradient_calls import GradientCall
from gradflow.tape.watching.recorder import Record, here
from gradflow.tape.watching.variables import Values, Weight

_ALIKE = 0.02
"""How far the norm of a gradient may be from that of the step: rounding, in a short type."""
_DROPPED = "harmless, in other steps it gets a gradient"
_OTHER = "other gradients arrive when the step is run again"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step that was run again shows."""

    sightings: Sightings
    cancelled: Mapping[str, str]
    """What cancels the gradient of each bias that is zero by mathematics."""


class NotKnownError(Exception):
    """The step cannot be run again as it ran."""


def look_again(
    record: Record,
    call: GradientCall,
    graph: CallGraph,
    weights: Sequence[Weight],
    reaching: Mapping[str, Measurement],
    layer_of: Callable[[int], str | None],
) -> Seen:
    """See where the gradients of a call that are zero or not finite were lost.

    Args:
        record: of the step.
        call: the gradient call.
        graph: its graph.
        weights: those of the step.
        reaching: what was measured of those that the graph leads a gradient to.
        layer_of: the layer of a node of the graph.

    Raises:
        NotKnownError: it cannot be run again, or comes out otherwise.
    """
    if call.start.run is None:
        raise NotKnownError(call.start.obstacle or "what the step started from was not kept")
    try:
        with here.without_ops():
            again = _Again(record, call, graph, weights, layer_of)
            return without_lookup_errors(lambda: _seen(again, reaching))
    except NotKnownError:
        raise
    except Exception as error:  # TensorFlow can raise anything when ops are run one by one
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise NotKnownError(reason) from error


def _seen(again: _Again, reaching: Mapping[str, Measurement]) -> Seen:
    taken = again.take()
    again.compare(taken)
    zero, nonfinite = (
        [name for name in reaching if reaching[name].verdict is verdict]
        for verdict in (Verdict.ZERO, Verdict.NONFINITE)
    )
    scene = again.scene
    removers = cancelled(scene.trail, zero, again.epsilon)
    deaths = {
        name: tuple(_of_one_draw(sighting) for sighting in deadly)
        for name, deadly in dying(scene, zero).items()
    }
    told: Sightings = {}
    if deaths:
        _, told = judged(
            again.take,
            taken.watched,
            taken.measured,
            deaths,
            removers=removers,
            epsilon=again.epsilon,
        )
    return Seen({**told, **breaking(scene, nonfinite)}, removers)


def _of_one_draw(sighting: Sighting) -> Sighting:
    """Return a sighting in a step, which draws what is random once: what it drew may be why."""
    return replace(sighting, fix=_DROPPED, harmless=True) if sighting.chance else sighting


class _Again:
    """A gradient call that can be run again, with the values that its variables had."""

    def __init__(
        self,
        record: Record,
        call: GradientCall,
        graph: CallGraph,
        weights: Sequence[Weight],
        layer_of: Callable[[int], str | None],
    ) -> None:
        self._call = call
        self._graph = graph
        self._layer_of = layer_of
        self._kept, self._fed, reads = _kept(record, call, graph)
        self._copies: dict[int, Any] = {}
        held = {**record.before.held, **call.start.before}
        for node, number in graph.handles.items():
            if number not in held:
                continue
            if number not in self._copies:
                _, value = held[number]
                self._copies[number] = ResourceVariable(reads.get(node, value), trainable=False)
            self._fed[node] = self._copies[number].handle
        self._before = Values()
        self._before.keep(copy.handle for copy in self._copies.values())
        stored = {handle: weight.stored for weight in weights for handle in weight.handles[:1]}
        self._watched = tuple(
            Watched(stored[number], copy)
            for number, copy in self._copies.items()
            if number in stored
        )
        self._names = {
            stored[number].name: node
            for node, number in graph.handles.items()
            if number in self._copies and number in stored
        }

    def _run(self) -> Run:
        graph = self._graph
        library = replace(graph.library, unrecorded=frozenset())
        return replay_graph(
            library, graph.graph_def, graph.targets, self._fed, graph=graph.live, kept=self._kept
        )

    @cached_property
    def scene(self) -> Scene:
        """The step beside its graph."""
        graph, run = self._graph, self._run()
        return Placed(
            layer_of=self._layer_of,
            graph=graph.flow,
            nodes=graph.nodes,
            run=run,
            upstream=self._upstream(run),
            sources=self._sources(run),
            closed=graph.library.unrecorded,
        ).scene()

    @property
    def epsilon(self) -> float:
        """Of the coarsest type that the step computes in."""
        names = {tensor.dtype.name for tensor in self.scene.trail.back.run.tensors}
        return max((HALVES[name] for name in names & HALVES.keys()), default=SINGLE)

    def _upstream(self, run: Run, scale: float = 1.0) -> Mapping[int, Any]:
        given = self._call.start.upstream
        upstream: dict[int, Any] = {}
        for place, slot in enumerate(run.outputs):
            target = run.tensors[slot]
            if is_number(target):
                one = tf.cast(given[place], target.dtype) if given else tf.ones_like(target)
                one = one * tf.cast(scale, target.dtype)
                upstream[slot] = upstream[slot] + one if slot in upstream else one
        return upstream

    def _sources(self, run: Run) -> list[int]:
        return [run.fed[node] for node in self._graph.handles if node in run.fed]

    def take(self, scale: float = 1.0, *, keeps_gradients: bool = False) -> Step:
        """Take the step with the values that the copies have now; see ``further_steps.Take``."""
        back = self.scene.trail.back
        is_moved = any(self._before.moved(copy.handle._id) for copy in self._copies.values())
        if is_moved or scale != 1.0:
            run = self._run() if is_moved else back.run
            closed = self._graph.library.unrecorded
            back = backward(run, self._upstream(run, scale), self._sources(run), closed=closed)
        gradients = {
            name: back.gradients.get(back.run.fed[node]) for name, node in self._names.items()
        }
        return Step(
            watched=self._watched,
            batch=Batch((), ()),
            outputs=(),
            measured={name: measure(gradient) for name, gradient in gradients.items()},
            gradients=gradients if keeps_gradients else {},
        )

    def compare(self, taken: Step) -> None:
        """Hold the step against the one that it repeats.

        Raises:
            NotKnownError: another gradient arrives at a weight.
        """
        for name, node in self._names.items():
            measured = self._call.asked.get(self._graph.handles[node], ())
            run = self._call.start.run or 0
            if run < len(measured) and not _is_alike(measured[run], taken.measured[name]):
                raise NotKnownError(f"{_OTHER} ({name})")


def _is_alike(first: Measurement, second: Measurement) -> bool:
    if first.gradient is None or second.gradient is None:
        # Where a tape gives zeros, there may be no way at all.
        return Verdict.FLOWS not in (first.verdict, second.verdict)
    if first.verdict is not second.verdict:
        return False
    norms = first.gradient.norm, second.gradient.norm
    return None in norms or math.isclose(*norms, rel_tol=_ALIKE)  # type: ignore[arg-type]


def _kept(
    record: Record, call: GradientCall, graph: CallGraph
) -> tuple[Kept, dict[str, Any], Mapping[str, Any]]:
    """Return what the ops of a call gave, what its placeholders are fed with, and the values that
    variables were read with, by the nodes of their handles."""
    by_name = _by_name(call, graph) if graph.eager is not None else dict(call.start.outputs)
    fed: dict[str, Any] = dict(graph.resources)
    outputs: dict[str, Sequence[Any]] = {}
    reads: dict[str, Any] = {}
    for node in graph.graph_def.node:
        values = by_name.get(node.name)
        if values is None:
            continue
        if node.op == "Placeholder":
            fed[node.name] = _tensor(values[0])
        elif node.op in PLAIN_READS and _tensor(values[0]).dtype.is_floating:
            reads.setdefault(node.input[0].partition(":")[0], _tensor(values[0]))
        else:
            outputs[node.name] = [_tensor(value) for value in values]
    if graph.eager is None:
        return Kept(outputs), fed, reads
    attrs = {name: op.attrs for name, op in graph.eager.ops.items() if op.returned is None}
    customs = {custom_name(op): op for op in graph.eager.ops.values() if op.returned is not None}
    gradients = {
        kind: _gradient(op, call.start.outputs[kind])
        for kind, op in customs.items()
        if kind in call.start.outputs
    }
    return Kept(outputs, gradients, record.graphs, attrs), fed, reads


def _by_name(call: GradientCall, graph: CallGraph) -> dict[str, Sequence[Any]]:
    """Return what was kept of ops that ran eagerly, by the names that they have in the graph."""
    eager, kept = graph.eager, call.start.outputs
    assert eager is not None
    result: dict[str, Sequence[Any]] = {}
    result |= {name: [kept[number]] for name, number in eager.fed.items() if number in kept}
    given: dict[int, dict[int, Any]] = {}
    for key, value in kept.items():
        if isinstance(key, tuple):
            given.setdefault(key[0], {})[key[1]] = value
    for name, number in eager.numbers.items():
        if number in given:
            result[name] = [given[number][position] for position in sorted(given[number])]
    return result


def _gradient(op: EagerOp, backward_function: Callable[..., Any]) -> Gradient:
    """Return a gradient of the user's own as the registry would hold it: the results of the op
    stand among its inputs too."""

    def gradient(_: Any, *upstream: Any) -> list[Any]:
        handed = list(backward_function(*upstream[: op.results]))
        return [*[None] * (len(upstream) - len(handed)), *handed]

    return gradient


def _tensor(value: Any) -> Any:
    return tf.constant(value) if isinstance(value, np.ndarray | np.generic) else value
