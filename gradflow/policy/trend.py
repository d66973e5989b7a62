"""Tell which models got better and which got worse between two reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import Enum

from gradflow.findings import ModelReport, Report, Status
from gradflow.lazy_dataclass import dataclass
from gradflow.policy.compare import ChangeKind, Snapshot, WeightChange, compare, snapshot


class Direction(str, Enum):
    """Whether a model got better or worse."""

    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"
    """Neither, or both."""
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Trend:
    """What has changed about one model."""

    path: str
    direction: Direction
    detail: str
    """Why it cannot be compared weight by weight; empty where it can."""
    changes: tuple[WeightChange, ...] = ()


def trends(before: Report, after: Report) -> tuple[Trend, ...]:
    """Return the models that have changed, in the order of ``after``; those that are gone come
    last.

    Models with the same path are the same model; where a path occurs several times, they are paired
    in their order.
    """
    old = _numbered(before.models)
    now = _numbered(after.models)
    changed = [_trend(old.get(key), model) for key, model in now.items()]
    gone = [Trend(model.path, Direction.GONE, "") for key, model in old.items() if key not in now]
    return (*(trend for trend in changed if trend is not None), *gone)


def since(before: Snapshot, after: ModelReport) -> Trend | None:
    """Return what has changed about a model that was like ``before``; None where nothing has."""
    if after.status is Status.FAILED:
        reason = f" ({after.error.code}): {after.error.message}" if after.error else ""
        return Trend(after.path, Direction.WORSE, f"could not be checked{reason}")
    changes = compare(before, after)
    direction = _direction({change.kind for change in changes})
    return Trend(after.path, direction, "", changes) if changes else None


def _numbered(models: Iterable[ModelReport]) -> dict[tuple[str, int], ModelReport]:
    numbered: dict[tuple[str, int], ModelReport] = {}
    counts: Counter[str] = Counter()
    for model in models:
        numbered[model.path, counts[model.path]] = model
        counts[model.path] += 1
    return numbered


def _trend(before: ModelReport | None, after: ModelReport) -> Trend | None:
    if before is None:
        return Trend(after.path, Direction.NEW, "")
    failed = [model.status is Status.FAILED for model in (before, after)]
    if all(failed):
        return None
    if failed[0]:
        return Trend(after.path, Direction.BETTER, "can be checked again")
    return since(snapshot(before), after)


def _direction(kinds: set[ChangeKind]) -> Direction:
    better, worse = ChangeKind.GAINED in kinds, ChangeKind.LOST in kinds
    if better == worse:
        return Direction.CHANGED
    return Direction.BETTER if better else Direction.WORSE
