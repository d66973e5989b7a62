"""Score gradflow's report against a ground truth: how many weights agree, and what does not."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from gradflow.findings import Mode, ModelReport, Role, Status, Variable, Verdict
from tests.models.plan import Plan, layer_of
from tests.models.truth import LEAVES_AT, REENTERS_AT, LayerTruth, flatten

if TYPE_CHECKING:
    from tests.models.oracle import Measured  # imports TensorFlow

NOISE = 1e-5
"""A gradient this much below the model's median is a mathematical zero: rounding decides whether it
is exactly 0."""
CODES = {"stop_gradient": "GF201", "sign": "GF301"}
"""The code of each kind of planted cut; GF202 for all others."""

Oracle = Callable[[int], "Mapping[str, list[Measured]]"]
"""Measures the same model with another seed."""


class Freezing(Enum):
    """How much of the freezing a kind of file records."""

    OWNERS = "which layer froze a weight"
    FLAGS = "which weights are frozen"
    LOST = "nothing"


@dataclass(slots=True)
class Score:
    """What was compared and what was not the same."""

    models: int = 0
    weights: int = 0
    agreed: int = 0
    cut_weights: int = 0
    """Weights without a gradient, whose causes were compared."""
    complaints: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Count another model in."""
        self.models += other.models
        self.weights += other.weights
        self.agreed += other.agreed
        self.cut_weights += other.cut_weights
        self.complaints += other.complaints

    def line(self) -> str:
        """The number that the README quotes."""
        return f"agreement: {self.agreed} of {self.weights} weights, {self.models} models"


def compare_with_tape(report: ModelReport, oracle: Oracle) -> Score:
    """Hold every verdict against the bare tape.

    Where one says ``zero`` and the other ``flows``, the values decide and not the graph: a
    mathematical zero that rounding hides, or a unit that this batch leaves dead. Then further seeds
    are asked, and noise counts as zero.
    """
    score = Score(models=1)
    if report.status is not Status.ANALYZED:
        score.complaints.append(f"{report.path}: not analysed: {report.error}")
        return score
    measured = oracle(0)
    weights = [variable for variable in report.variables if variable.role is Role.WEIGHT]
    scale = _median(
        one.norm for many in measured.values() for one in many if one.verdict == "flows"
    )
    for name, variables in _by_name(weights, measured).items():
        said = Counter(variable.verdict.value for variable in variables)
        heard = Counter(one.verdict for one in measured.get(name, ()))
        missing = sum(said.values()) - sum(heard.values())
        if missing > 0:
            heard["none"] += missing  # the entry does not use it
        score.weights += len(variables)
        if said == heard or _values_decide(name, variables, measured, scale, oracle):
            score.agreed += len(variables)
        else:
            score.complaints.append(f"{name}: gradflow says {dict(said)}, the tape {dict(heard)}")
    return score


def compare_with_plan(
    report: ModelReport,
    plan: Plan,
    truths: Mapping[str, LayerTruth],
    tape: Mapping[str, list[Measured]],
    freezing: Freezing = Freezing.OWNERS,
) -> Score:
    """Hold verdicts, causes, cuts to restore and frozen flags against ``truths``, which are those
    of ``plan``.

    A planted path whose values die on the way (``zero`` where the plan says ``flows``) is accepted
    only where the bare tape saw a zero or noise as well.
    """
    score = Score(models=1)
    if report.status is not Status.ANALYZED:
        score.complaints.append(f"not analysed: {report.error}")
        return score
    scale = _median(one.norm for many in tape.values() for one in many if one.verdict == "flows")
    behind: dict[str, set[str]] = {layer: set() for layer in truths}
    wrong: set[str] = set()
    for variable in report.variables:
        layer = layer_of(variable.name, frozenset(truths))
        if variable.role is not Role.WEIGHT or layer is None:
            continue
        behind[layer].add(variable.name)
        heard = [
            one
            for name, many in tape.items()
            if _same_variable(variable.name, name)
            for one in many
        ]
        dead = any(one.verdict == "zero" or one.norm <= NOISE * scale for one in heard)
        problems = [
            *_flow_problems(variable, truths[layer], dead),
            *_frozen_problems(variable, truths[layer], freezing),
        ]
        score.weights += 1
        score.cut_weights += truths[layer].verdict != "flows"
        score.complaints += [f"{variable.name}: {problem}" for problem in problems]
        wrong |= {variable.name} if problems else set()
    score.complaints += [
        f"{layer}: no weight of it is in the report" for layer, names in behind.items() if not names
    ]
    for complaint, names in _cause_problems(report, plan, truths, behind):
        score.complaints.append(f"{complaint} behind {sorted(names)}")
        wrong |= names
    score.agreed = score.weights - len(wrong)
    return score


def _flow_problems(variable: Variable, truth: LayerTruth, dead: bool) -> list[str]:
    problems = []
    verdict = variable.verdict.value
    if verdict != truth.verdict and not (truth.verdict == "flows" and verdict == "zero" and dead):
        problems.append(f"verdict {verdict}, planted {truth.verdict}")
    if variable.cuts_to_restore != truth.cuts_to_restore:
        problems.append(
            f"cuts_to_restore {variable.cuts_to_restore}, planted {truth.cuts_to_restore}"
        )
    if truth.cuts_to_restore is None and [cause.code for cause in variable.causes] != ["GF206"]:
        problems.append(f"unused, but the causes are {[cause.code for cause in variable.causes]}")
    return problems


def _frozen_problems(variable: Variable, truth: LayerTruth, freezing: Freezing) -> list[str]:
    problems = []
    if freezing is not Freezing.LOST and variable.trainable == truth.frozen:
        problems.append(f"trainable {variable.trainable}, planted {not truth.frozen}")
    if freezing is Freezing.OWNERS and truth.frozen_by is None and variable.frozen_by is not None:
        problems.append(f"frozen_by {variable.frozen_by}, planted none")
    if (
        freezing is Freezing.OWNERS
        and truth.frozen_by is not None
        and truth.frozen_by not in str(variable.frozen_by)
    ):
        problems.append(f"frozen_by {variable.frozen_by}, planted {truth.frozen_by}")
    return problems


def _cause_problems(
    report: ModelReport,
    plan: Plan,
    truths: Mapping[str, LayerTruth],
    behind: Mapping[str, set[str]],
) -> list[tuple[str, frozenset[str]]]:
    """Find each planted cut again: same code, same op types, and the very same weights behind it.

    Operations have no names of their own in Keras, so a cut is known by what it is and what it cuts
    off.
    """
    nodes = flatten(plan).nodes
    planted: dict[str, set[str]] = {}
    for layer, truth in truths.items():
        for cut in truth.causes:
            planted.setdefault(cut, set()).update(behind[layer])
    reported: dict[str, tuple[tuple[str, str | None, str | None], set[str]]] = {}
    for variable in report.variables:
        if variable.role is not Role.WEIGHT or variable.verdict is Verdict.FLOWS:
            continue
        for cause in variable.causes:
            if cause.op is not None and cause.code != "GF303":
                kind = (
                    cause.code,
                    cause.op_type,
                    cause.reenters_at and _op_type(cause.reenters_at),
                )
                reported.setdefault(cause.op, (kind, set()))[1].add(variable.name)
    wanted: Counter[tuple[str, str | None, frozenset[str]]] = Counter(
        (CODES.get(nodes[cut].kind, "GF202"), LEAVES_AT[nodes[cut].kind], frozenset(names))
        for cut, names in planted.items()
    )
    found = Counter((kind[0], kind[1], frozenset(names)) for kind, names in reported.values())
    problems = [
        (f"planted, not reported: {code} {op}", names) for code, op, names in wanted - found
    ]
    problems += [
        (f"reported, not planted: {code} {op}", names) for code, op, names in found - wanted
    ]
    if report.mode is Mode.STATIC:
        return problems  # a passage comes back at a layer, not at an op
    passages = {LEAVES_AT[kind]: op for kind, op in REENTERS_AT.items()}
    for op, (kind, names) in reported.items():
        back = passages.get(str(kind[1]))
        if back is not None and kind[2] != back:
            problems.append((f"{op}: comes back at {kind[2]}, planted {back}", frozenset(names)))
    return problems


def _op_type(name: str) -> str:
    """The op type that a node's name tells: ``m/one_hot_1`` is a OneHot."""
    last = name.rsplit("/", 1)[-1]
    stem = last.rstrip("0123456789").removesuffix("_") if "_" in last else last
    return {"one_hot": "OneHot"}.get(stem, stem)


def _by_name(
    weights: Iterable[Variable], measured: Mapping[str, list[Measured]]
) -> dict[str, list[Variable]]:
    """Group gradflow's unique names by the oracle's: equal names of the file got a suffix."""
    grouped: dict[str, list[Variable]] = {}
    for variable in weights:
        names = [name for name in measured if _same_variable(variable.name, name)]
        grouped.setdefault(max(names, key=len) if names else variable.name, []).append(variable)
    return grouped


def _same_variable(reported: str, name: str) -> bool:
    """Whether gradflow means the file's variable: equal, under a submodel's path, or with a suffix
    for uniqueness."""
    return (
        reported == name
        or reported.endswith(f"/{name}")
        or reported.startswith((f"{name} ", f"{name}#", f"{name}@"))
    )


def _values_decide(
    name: str,
    variables: list[Variable],
    measured: Mapping[str, list[Measured]],
    scale: float,
    oracle: Oracle,
) -> bool:
    said = {variable.verdict.value for variable in variables}
    heard = {one.verdict for one in measured.get(name, ())}
    if not heard or not (said | heard) <= {"flows", "zero"}:
        return False
    if all(one.norm <= NOISE * scale for one in measured[name]):
        return True
    return any({one.verdict for one in oracle(seed).get(name, ())} == said for seed in (1, 2))


def _median(norms: Iterable[float]) -> float:
    values = list(norms)
    return statistics.median(values) if values else 0.0
