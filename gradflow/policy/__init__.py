"""Judge a report by what the user expects, by a baseline and by an earlier report."""

from gradflow.policy.baseline import accept
from gradflow.policy.compare import (
    ChangeKind,
    Snapshot,
    WeightChange,
    WeightSnapshot,
    compare,
    not_compared,
    snapshot,
)
from gradflow.policy.expectations import (
    FROZEN_PATTERNS,
    MODEL_PATH,
    CutExpectation,
    Expectations,
    Ignore,
    is_about_gradients,
)
from gradflow.policy.judge import is_broken, judge
from gradflow.policy.names import aligned, pairs
from gradflow.policy.selected import FAMILIES, chosen, selected
from gradflow.policy.short_patterns import short_patterns
from gradflow.policy.trend import Direction, Trend, since, trends

__all__ = [
    "FAMILIES",
    "FROZEN_PATTERNS",
    "MODEL_PATH",
    "ChangeKind",
    "CutExpectation",
    "Direction",
    "Expectations",
    "Ignore",
    "Snapshot",
    "Trend",
    "WeightChange",
    "WeightSnapshot",
    "accept",
    "aligned",
    "chosen",
    "compare",
    "is_about_gradients",
    "is_broken",
    "judge",
    "not_compared",
    "pairs",
    "selected",
    "short_patterns",
    "since",
    "snapshot",
    "trends",
]
