"""Score gradflow on the model of a Plan, in memory or as a file of some kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gradflow.analysis.static import read
from gradflow.findings import Failure
from gradflow.options import Objective, Options
from tests.agreement.compare import Freezing, Score, compare_with_plan, compare_with_tape
from tests.agreement.subject import report_on_file, report_on_model
from tests.models.oracle import Measured, measure_file, measure_model, trainable_after_loading
from tests.models.plan import Plan, layer_of
from tests.models.planted import build, save
from tests.models.truth import LayerTruth, expected

FREEZING = {
    "memory": Freezing.OWNERS,
    "keras": Freezing.OWNERS,
    "h5": Freezing.OWNERS,
    "export": Freezing.FLAGS,
    "saved": Freezing.LOST,
    "module": Freezing.LOST,
}
LOSES_FREEZING = ("attention",)
"""Layers that Keras itself brings back trainable from a file that says ``trainable: false``:
MultiHeadAttention makes its inner layers anew when it is built (Keras 3.12 to 3.15). gradflow must
then say what an optimizer would do."""


def run_plan(plan: Plan, kind: str, folder: Path | None = None) -> Score:
    """Build the plan's model, hold gradflow against the tape and against the plan.

    A weight counts as agreed only where both agree.
    """
    model = build(plan)
    truths = expected(plan)
    if folder is None:
        report = report_on_model(model)
        with_tape = compare_with_tape(report, lambda seed: measure_model(model, seed=seed))
        tape = measure_model(model)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        path = save(model, folder, kind)
        found = report_on_file(path)
        if isinstance(found, Failure):
            return Score(models=1, complaints=[f"not analysed: {found.message}"])
        report = found
        tape = measure_file(path)
        if kind in ("keras", "h5"):
            truths = _as_keras_reads_it(plan, truths, path)
        with_tape = compare_with_tape(
            report, lambda seed: tape if seed == 0 else measure_file(path, seed=seed)
        )
    with_plan = compare_with_plan(report, plan, truths, tape, FREEZING[kind])
    if kind in ("keras", "h5"):
        with_plan.complaints += _read_alone(path, plan, truths, tape)
    if with_plan.weights != with_tape.weights:
        with_plan.complaints.append(
            f"{with_tape.weights} weights reported, {with_plan.weights} planted"
        )
    return Score(
        models=1,
        weights=with_plan.weights,
        agreed=min(with_plan.agreed, with_tape.agreed),
        cut_weights=with_plan.cut_weights,
        complaints=[*with_tape.complaints, *with_plan.complaints],
    )


def read_alone(plan: Plan, kind: str, folder: Path) -> Score:
    """Build the plan's model and hold the plan against what its file alone tells: verdicts, causes,
    cuts to restore and frozen flags."""
    folder.mkdir(parents=True, exist_ok=True)
    path = save(build(plan), folder, kind)
    truths = _as_keras_reads_it(plan, expected(plan), path)
    alone = read(str(path), Options(static=True, objective=Objective.OUTPUTS)).report
    return compare_with_plan(alone, plan, truths, {}, FREEZING[kind])


def _read_alone(
    path: Path,
    plan: Plan,
    truths: Mapping[str, LayerTruth],
    tape: Mapping[str, list[Measured]],
) -> list[str]:
    """Hold the plan against what the file alone tells, without TensorFlow."""
    alone = read(str(path), Options(static=True, objective=Objective.OUTPUTS)).report
    return [
        f"read alone: {said}" for said in compare_with_plan(alone, plan, truths, tape).complaints
    ]


def _as_keras_reads_it(
    plan: Plan, truths: Mapping[str, LayerTruth], path: Path
) -> dict[str, LayerTruth]:
    """The truth without the flags that Keras itself loses on the way through a file."""
    everywhere = [*plan.nodes, *(node for inner in plan.submodels.values() for node in inner.nodes)]
    forgetful = {node.layer for node in everywhere if node.kind in LOSES_FREEZING}
    if not forgetful:
        return dict(truths)
    updated = {
        layer_of(name, frozenset(truths))
        for name, is_updated in trainable_after_loading(path).items()
        if is_updated
    }
    return {
        layer: replace(truth, frozen=False, frozen_by=None)
        if layer in forgetful & updated
        else truth
        for layer, truth in truths.items()
    }
