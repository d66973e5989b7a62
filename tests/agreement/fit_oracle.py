"""Hold the verdicts of ``--objective auto`` against what one step of ``fit`` does to the weights.

Run as a script it holds many random models: ``python -m tests.agreement.fit_oracle --count 200``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gradflow
from gradflow.findings import ModelReport, Role, Verdict
from gradflow.options import Options
from tests.agreement.subject import analysed

_TRAINS = {Verdict.FLOWS: True, Verdict.NONE: False, Verdict.ZERO: False, Verdict.NONFINITE: True}


@dataclass(frozen=True, slots=True)
class Held:
    """How a model's verdicts agree with ``fit``."""

    weights: int
    complaints: list[str]
    objective: str


def hold(report: ModelReport, moved: Mapping[str, bool | None]) -> Held:
    """Compare the verdicts of the trainable weights with whether ``fit`` moves them; None: nobody
    can tell."""
    if report.error is not None:
        return Held(len(moved), [report.error.message], "failed")
    weights = [
        variable
        for variable in report.variables
        if variable.role is Role.WEIGHT and variable.trainable
    ]
    complaints = [
        f"{weight.name}: {weight.verdict.value}, but fit "
        f"{'moves it' if moved[weight.name] else 'leaves it as it was'} ({report.objective})"
        for weight in weights
        if moved[weight.name] is not None and _TRAINS.get(weight.verdict) is not moved[weight.name]
    ]
    missing = set(moved) - {weight.name for weight in weights}
    complaints += [f"{name}: is not in the report" for name in sorted(missing)]
    complaints += [f"{cause} stands in it" for cause in _gaps(report)]
    return Held(len(weights), complaints, str(report.objective))


def _gaps(report: ModelReport) -> list[str]:
    codes = {cause.code for variable in report.variables for cause in variable.causes}
    return sorted(codes & {"GF209"})


def hold_random(seed: int, kind: str) -> Held:
    """Hold the random model of ``seed``, in ``memory``, with its data ``given`` along with sample
    weights, or as a file of another ``kind``."""
    from tests.models.fit import moved_by_fit
    from tests.models.random_compiled import ROWS, random_compiled, random_sample_weight

    subject = random_compiled(seed)
    sample_weight = None
    if kind == "given":
        sample_weight = random_sample_weight(seed, subject)
        data = (subject.x, subject.y, sample_weight)
        report = gradflow.inspect(subject.model, inputs=data).models[0]
    elif kind == "memory":
        report = gradflow.inspect(subject.model).models[0]
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"model.{kind}")
            subject.model.save(path)
            report = analysed(path, Options(imports=("tests.models.random_compiled",))).report
    moved = moved_by_fit(subject.model, subject.x, subject.y, ROWS, sample_weight)
    return hold(report, moved)


def main() -> int:
    """Hold ``--count`` models from the seed ``--first`` on; 1 where one disagrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kind", choices=("memory", "given", "keras"), default="memory")
    options = parser.parse_args()
    weights = wrong = compiled = 0
    for seed in range(options.first, options.first + options.count):
        held = hold_random(seed, options.kind)
        weights += held.weights
        wrong += len(held.complaints)
        compiled += held.objective.startswith("compiled")
        for complaint in held.complaints:
            print(f"{seed}: {complaint}", flush=True)
    print(f"{weights - wrong:,} of {weights:,} weights, {options.count} models; {compiled} by loss")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
