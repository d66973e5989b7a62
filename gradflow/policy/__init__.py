"""A report and what the user expects in, a report that says kept or broken out."""

from gradflow.policy.baseline import accept
from gradflow.policy.compare import (
    ChangeKind,
    Known,
    KnownWeight,
    WeightChange,
    compare,
    known,
    not_compared,
)
from gradflow.policy.expectations import CutExpectation, Expectations, Ignore, is_about_gradients
from gradflow.policy.judge import is_broken, judge
from gradflow.policy.names import aligned, pairs
from gradflow.policy.selected import FAMILIES, chosen, selected
from gradflow.policy.trend import Direction, Trend, trends

__all__ = [
    "FAMILIES",
    "ChangeKind",
    "CutExpectation",
    "Direction",
    "Expectations",
    "Ignore",
    "Known",
    "KnownWeight",
    "Trend",
    "WeightChange",
    "accept",
    "aligned",
    "chosen",
    "compare",
    "is_about_gradients",
    "is_broken",
    "judge",
    "known",
    "not_compared",
    "pairs",
    "selected",
    "trends",
]
