"""A step whose gradients are zero, tiny or not finite in, what more runs of it show out: where and
why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradflow.analysis.result import Progress
from gradflow.diagnose import Measurement, Sighting, leads_through_branch, outliers
from gradflow.findings import Role, Verdict
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import FlowGraph
from gradflow.options import Options, Thresholds
from gradflow.tape.gradient_registry import without_lookup_errors
from gradflow.tape.loaded_model import Subject
from gradflow.tape.reinitialise import LOSS_SCALE, awakened, underflowing
from gradflow.tape.replay.locate import breaking, dying, look
from gradflow.tape.replay.shift_invariance import BATCH_NORMALIZATION, cancelled
from gradflow.tape.replay.zero_gradients import LOSS_SCALE_FIX
from gradflow.tape.step import measure, step
from gradflow.tape.trace import Trace

_UNDERFLOWS = (
    f"loses it in float16, which has no number so small: with a loss scale of "
    f"{LOSS_SCALE:.0f} it arrives"
)
_MARGIN = 3.0
"""A median moves when gradients are measured again: what is near the threshold is looked into as
well."""
_Measurements = Mapping[str, Measurement]


@dataclass(frozen=True, slots=True)
class Stepped:
    """A model that was stepped, with the graph of the call."""

    subject: Subject
    options: Options
    batch: Sequence[Any]
    graph: FlowGraph
    traced: Trace | None
    """None where the graph is the file's own."""
    attributions: Mapping[str, Attribution]

    def reaching(self, measured: _Measurements, verdict: Verdict) -> list[str]:
        """The weights with a way to the output that flows in the graph, and with ``verdict`` all
        the same."""
        names = [
            item.stored.name for item in self.subject.watched if item.stored.role is Role.WEIGHT
        ]
        flowing = [
            name
            for name in names
            if name in self.attributions and self.attributions[name].cuts_to_restore == 0
        ]
        return [name for name in flowing if name in measured and measured[name].verdict is verdict]


def rounding_noise(
    subject: Subject, measured: _Measurements, thresholds: Thresholds
) -> tuple[Mapping[str, str], Sequence[str]]:
    """The weights whose gradient may be rounding noise: those that the layers explain, and the
    others."""
    names = [
        item.stored.name
        for item in subject.watched
        if item.stored.role is Role.WEIGHT and item.stored.trainable
    ]
    found = [
        one.name
        for one in outliers(measured, names, subject.epsilon, thresholds, _MARGIN)
        if one.ratio < 1
    ]
    shifted = set(subject.shifted()) if found else set()
    explained = {name: BATCH_NORMALIZATION for name in found if name in shifted}
    return explained, [name for name in found if name not in shifted]


def probed_again(stepped: Stepped, measured: _Measurements, progress: Progress) -> _Measurements:
    """Draw other batches before a weight is called dead: a narrow ReLU can be off for all of one
    small batch.

    Only where a path flows that leads through no branch: of a branch not taken for this input, the
    zero is the answer.
    """
    for probe in range(1, stepped.options.probes):
        dead = [
            name
            for name in stepped.reaching(measured, Verdict.ZERO)
            if not leads_through_branch(stepped.graph, stepped.attributions[name])
        ]
        if not dead:
            break
        progress("step")
        _, _, _, again = step(
            stepped.subject, replace(stepped.options, seed=stepped.options.seed + probe)
        )
        alive = {name: again[name] for name in dead if again[name].verdict is Verdict.FLOWS}
        measured = {**measured, **alive}
    return measured


def largest_of_all(
    stepped: Stepped, measured: _Measurements, names: Sequence[str]
) -> _Measurements:
    """Draw other batches before a gradient is called vanishing: what one batch leaves near nothing,
    another may not."""
    for probe in range(1, stepped.options.probes if names else 1):
        _, _, _, again = step(
            stepped.subject, replace(stepped.options, seed=stepped.options.seed + probe)
        )
        measured = _larger(measured, {name: again[name] for name in names})
    return measured


def _larger(measured: _Measurements, again: _Measurements) -> _Measurements:
    larger = {name: one for name, one in again.items() if _largest(one) > _largest(measured[name])}
    return {**measured, **larger}


def _largest(measurement: Measurement) -> float:
    return measurement.gradient.max_abs or 0.0 if measurement.gradient is not None else 0.0


def looked_into(
    stepped: Stepped, measured: _Measurements, tiny: Sequence[str], progress: Progress
) -> tuple[_Measurements, Mapping[str, tuple[Sighting, ...]], Mapping[str, str]]:
    """See where gradients die on ways that flow in the graph, where they become NaN or Inf, and
    where they cancel.

    What is measured comes back too: the run is another draw of dropout, in which a tiny gradient
    can be an ordinary one (a block of EfficientNet that was dropped as a whole).
    """
    zero, nonfinite = (
        stepped.reaching(measured, verdict) for verdict in (Verdict.ZERO, Verdict.NONFINITE)
    )
    # Run eagerly, a branch not taken leaves None in place of zeros.
    missing = stepped.reaching(measured, Verdict.NONE)
    if not zero and not nonfinite and not tiny and not missing:
        return measured, {}, {}
    progress("replay")
    subject, batch, options = stepped.subject, stepped.batch, stepped.options
    try:
        traced = subject.trace(batch) if stepped.traced is None else stepped.traced
        scene = without_lookup_errors(
            lambda: look(subject, traced, batch, options), subject.lost_gradients
        )
    # TensorFlow and the model's code can raise anything; verdicts stand without an explanation.
    except Exception:
        scene = None
    if scene is None:
        return measured, {}, {}
    removed = cancelled(scene.trail, (*tiny, *zero), subject.epsilon)
    sightings: dict[str, tuple[Sighting, ...]] = {}
    sightings.update(dying(scene, missing))
    if zero:
        found = dying(scene, zero)
        zeros = {one.weight for seen in found.values() for one in seen if one.weight is not None}
        harmless = awakened(subject, options, measured, zeros).union(removed)
        underflow = underflowing(subject, options, measured)
        for name, seen in found.items():
            sightings[name] = tuple(
                _judged(one, name in harmless, name in underflow, measured) for one in seen
            )
    drawn = {name: measure(scene.trail.gradient_of(name)) for name in tiny}
    return _larger(measured, drawn), {**sightings, **breaking(scene, nonfinite)}, removed


def _judged(
    sighting: Sighting, is_harmless: bool, is_underflow: bool, measured: _Measurements
) -> Sighting:
    if is_underflow:
        return replace(sighting, detail=_UNDERFLOWS, fix=LOSS_SCALE_FIX)
    if is_harmless and sighting.weight and measured[sighting.weight].verdict is Verdict.ZERO:
        fix = "neither of the two leaves zero by itself: draw one of them anew before training"
        return replace(sighting, harmless=True, fix=fix)
    if is_harmless:
        fix = (
            "harmless: it comes alive once that weight has moved"
            if sighting.weight
            else "harmless, nothing to mend"
        )
        return replace(sighting, harmless=True, fix=fix)
    return sighting
