"""Compare a model with what it was like before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

from gradflow.findings import ModelReport, Role, Variable, Verdict
from gradflow.lazy_dataclass import dataclass


class ChangeKind(str, Enum):
    """What can change about a weight."""

    FROZEN = "frozen"
    UNFROZEN = "unfrozen"
    LOST = "lost gradient"
    GAINED = "gained gradient"
    VERDICT = "other verdict"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class WeightSnapshot:
    """One weight as it was at some time."""

    trainable: bool
    verdict: Verdict
    codes: tuple[str, ...]
    """Of the findings about it. No op names: a model that is built again numbers its ops anew."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One model as it was at some time."""

    weights: Mapping[str, WeightSnapshot]
    """By name."""
    path: str = ""
    """The file that it was read from."""


@dataclass(frozen=True, slots=True)
class WeightChange:
    """One change of one weight."""

    kind: ChangeKind
    name: str
    detail: str
    """By which layer, to which verdict; empty where there is nothing to add."""


def snapshot(model: ModelReport) -> Snapshot:
    """Record the trainability, the verdict and the codes of each weight; what is accepted already
    needs no record."""
    codes: dict[str, set[str]] = {}
    for finding in model.open_findings:
        for name in finding.variables:
            codes.setdefault(name, set()).add(finding.code)
    return Snapshot(
        {
            variable.name: WeightSnapshot(
                trainable=variable.trainable,
                verdict=variable.verdict,
                codes=tuple(sorted(codes.get(variable.name, ()))),
            )
            for variable in model.variables
            if variable.role is Role.WEIGHT
        }
    )


def compare(before: Snapshot, after: ModelReport) -> tuple[WeightChange, ...]:
    """Return the changes in the order of the variables; weights that are gone come last.

    A verdict that is unknown before or after is no change.
    """
    weights = {
        variable.name: variable for variable in after.variables if variable.role is Role.WEIGHT
    }
    changes: list[WeightChange] = []
    for name, weight in weights.items():
        old = before.weights.get(name)
        if old is None:
            changes.append(WeightChange(ChangeKind.NEW, name, ""))
        else:
            changes += _differences(old, weight)
    gone = [name for name in before.weights if name not in weights]
    return (*changes, *(WeightChange(ChangeKind.GONE, name, "") for name in gone))


def not_compared(before: Snapshot, after: ModelReport) -> tuple[str, ...]:
    """Return the names of weights that both have, and whose verdict is unknown before or after."""
    return tuple(
        variable.name
        for variable in after.variables
        if variable.name in before.weights
        and Verdict.UNKNOWN in (variable.verdict, before.weights[variable.name].verdict)
    )


def _differences(before: WeightSnapshot, now: Variable) -> Iterator[WeightChange]:
    if before.trainable and not now.trainable:
        yield WeightChange(
            ChangeKind.FROZEN, now.name, f"by {now.frozen_by}" if now.frozen_by else ""
        )
    if now.trainable and not before.trainable:
        yield WeightChange(ChangeKind.UNFROZEN, now.name, "")
    if Verdict.UNKNOWN in (before.verdict, now.verdict) or before.verdict is now.verdict:
        return
    detail = f"{before.verdict.value} -> {now.verdict.value}"
    if now.verdict is Verdict.FLOWS:
        yield WeightChange(ChangeKind.GAINED, now.name, detail)
    else:
        kind = ChangeKind.LOST if before.verdict is Verdict.FLOWS else ChangeKind.VERDICT
        yield WeightChange(kind, now.name, detail)
