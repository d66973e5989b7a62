"""A model as it was and as it is in, what has changed out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from gradflow.findings import ModelReport, Role, Variable, Verdict


class ChangeKind(str, Enum):
    """What can happen to a weight."""

    FROZEN = "frozen"
    UNFROZEN = "unfrozen"
    LOST = "lost gradient"
    GAINED = "gained gradient"
    VERDICT = "other verdict"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class KnownWeight:
    """One weight at one time."""

    trainable: bool
    verdict: Verdict
    codes: tuple[str, ...]
    """Of the findings about it. No op names: a model that is built again numbers its ops anew."""


@dataclass(frozen=True, slots=True)
class Known:
    """One model at one time."""

    weights: Mapping[str, KnownWeight]
    """By name."""


@dataclass(frozen=True, slots=True)
class WeightChange:
    """What has happened to one weight."""

    kind: ChangeKind
    name: str
    detail: str
    """By which layer, to which verdict; empty where there is nothing to add."""


def known(model: ModelReport) -> Known:
    """Take down what is there."""
    codes: dict[str, set[str]] = {}
    for finding in model.findings:
        for name in finding.variables:
            codes.setdefault(name, set()).add(finding.code)
    weights = (one for one in model.variables if one.role is Role.WEIGHT)
    return Known(
        {
            w.name: KnownWeight(w.trainable, w.verdict, tuple(sorted(codes.get(w.name, ()))))
            for w in weights
        }
    )


def compare(before: Known, after: ModelReport) -> tuple[WeightChange, ...]:
    """What has changed, in the order of the variables; what is gone comes last.

    A verdict that one of the two does not know is no change.
    """
    weights = [one for one in after.variables if one.role is Role.WEIGHT]
    changes: list[WeightChange] = []
    for one in weights:
        old = before.weights.get(one.name)
        changes += (
            [WeightChange(ChangeKind.NEW, one.name, "")] if old is None else _differences(old, one)
        )
    here = {one.name for one in weights}
    gone = [WeightChange(ChangeKind.GONE, name, "") for name in before.weights if name not in here]
    return (*changes, *gone)


def not_compared(before: Known, after: ModelReport) -> tuple[str, ...]:
    """Weights of both, whose gradient one of the two does not know."""
    both = (
        (one, before.weights[one.name]) for one in after.variables if one.name in before.weights
    )
    return tuple(one.name for one, old in both if Verdict.UNKNOWN in (one.verdict, old.verdict))


def _differences(before: KnownWeight, now: Variable) -> Iterator[WeightChange]:
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
