"""A Plan and a kind of file in, the Score of gradflow on it out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gradflow.findings import Failure
from tests.agreement.compare import Freezing, Score, compare_with_plan, compare_with_tape
from tests.agreement.subject import report_on_file, report_on_model
from tests.models.oracle import measure_file, measure_model
from tests.models.plan import Plan
from tests.models.planted import build, save

FREEZING = {
    "memory": Freezing.OWNERS,
    "keras": Freezing.OWNERS,
    "h5": Freezing.OWNERS,
    "export": Freezing.FLAGS,
    "saved": Freezing.LOST,
    "module": Freezing.LOST,
}
LOSES_FREEZING = ("attention",)
"""Kinds of layers that come back trainable from a Keras file although their config says ``trainable: false``
(MultiHeadAttention, Keras 3.12 to 3.15: its inner layers are made anew when it is built)."""


def run_plan(plan: Plan, kind: str, folder: Path | None = None) -> Score:
    """Build the plan's model, hold gradflow against the tape and against the plan.

    A weight counts as agreed only where both agree.
    """
    model = build(plan)
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
        with_tape = compare_with_tape(report, lambda seed: tape if seed == 0 else measure_file(path, seed=seed))
    if kind in ("keras", "h5"):
        plan = _as_keras_reads_it(plan)
    with_plan = compare_with_plan(report, plan, tape, FREEZING[kind])
    if with_plan.weights != with_tape.weights:
        with_plan.complaints.append(f"{with_tape.weights} weights reported, {with_plan.weights} planted")
    return Score(
        models=1,
        weights=with_plan.weights,
        agreed=min(with_plan.agreed, with_tape.agreed),
        cut_weights=with_plan.cut_weights,
        complaints=[*with_tape.complaints, *with_plan.complaints],
    )


def _as_keras_reads_it(plan: Plan) -> Plan:
    """The plan without the flags that Keras itself loses on the way through a file."""
    everywhere = [*plan.nodes, *(node for inner in plan.submodels.values() for node in inner.nodes)]
    lost = {node.layer for node in everywhere if node.kind in LOSES_FREEZING}
    return replace(plan, frozen=plan.frozen - lost)
