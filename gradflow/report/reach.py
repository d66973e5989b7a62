"""Say in words how far back from the cuts of a model nothing learns."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.findings import ModelReport, Reach, Severity
from gradflow.report.words import counted
from gradflow.text import listed, shown

_MAX_ENDS = 3
_MAX_SENTENCES = 3


def reach_sentences(model: ModelReport) -> Sequence[str]:
    """Return how far back nothing learns, for each cut that counts: ``from the input to dense_1
    nothing learns: 2 of 3 layers, 12.5 % of the parameters``."""
    reaches = dict.fromkeys(
        finding.reach
        for finding in model.open_findings
        if finding.reach is not None and finding.severity is not Severity.NOTE
    )
    sentences = [_sentence(reach) for reach in sorted(reaches, key=lambda reach: -reach.layers)]
    hidden = len(sentences) - _MAX_SENTENCES
    if hidden <= 0:
        return sentences
    more = f"and {counted(hidden, 'more cut')}, of which none reaches further"
    return [*sentences[:_MAX_SENTENCES], more]


def _sentence(reach: Reach) -> str:
    number = f"{reach.layers:,} of {counted(reach.all_layers, reach.noun)}"
    ends = [shown(end) for end in reach.ends]
    if reach.start is None:
        words = f"from the input to {_listed(ends, reach.noun)} nothing learns"
    elif reach.layers == 1:
        words = f"{shown(reach.start)} learns nothing"
    elif not reach.is_whole:
        words = f"{number} learn nothing, the last of them {ends[-1]}"
        return f"{words}: {_share(reach)}{_frozen(reach)}"
    else:
        words = f"from {shown(reach.start)} to {_listed(ends, reach.noun)} nothing learns"
    return f"{words}: {number}, {_share(reach)}{_frozen(reach)}"


def _listed(ends: Sequence[str], noun: str) -> str:
    more = len(ends) - _MAX_ENDS
    return listed([*ends[:_MAX_ENDS], counted(more, f"more {noun}")] if more > 0 else ends)


def _share(reach: Reach) -> str:
    percent = 100 * reach.parameters / reach.all_parameters if reach.all_parameters else 0.0
    number = "less than 0.1" if 0 < percent < 0.05 else f"{percent:.1f}"
    return f"{number.removesuffix('.0')} % of the parameters"


def _frozen(reach: Reach) -> str:
    return f" ({reach.frozen:,} of the {reach.noun}s frozen)" if reach.frozen else ""
