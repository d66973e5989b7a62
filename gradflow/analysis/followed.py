"""Follow weights to the output while the model is at hand: ``why`` may be asked next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from gradflow.analysis.result import Analysis
from gradflow.diagnose import Evidence, Trial
from gradflow.findings import Followed, ModelReport, Role, Variable, Verdict
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import FlowGraph

Repair = Callable[[str], tuple[Trial | None, Mapping[str, Attribution]]]
"""Tries the smallest repair of a weight; returns what ``Explanation.repair`` does."""
_SECONDS = 0.3
_SHARE = 0.05
"""Processor time that may go into it: so many seconds, and this part of what the analysis took."""
_FIRST = 0.25
"""What the first may take, as a part of the analysis: a repair is a run op by op."""
_DRAWN = ("Random", "Multinomial", "TruncatedNormal", "PyFunc")
"""In the names of ops that give something else the next time."""
_STATELESS = "Stateless"
"""How ops begin that draw by a seed alone: that of a Keras layer is a variable, and is put back."""


def followed(
    evidence: Evidence,
    report: ModelReport,
    repair: Repair | None,
    analysed: Callable[[Evidence, str], Analysis],
    spent: float,
) -> tuple[Followed, ...]:
    """Return the answers to ``why`` for as many weights as there is time for; those that get no
    useful gradient first.

    ``analysed`` is the analysis that follows one weight, and ``spent`` the processor time of the
    analysis so far. None of a model that draws without a seed, since each run is another one then.
    """
    if repair is None or evidence.graph is None or _draws(evidence.graph):
        return ()

    def answer(name: str) -> Followed | None:
        trial, attributions = repair(name)
        analysis = analysed(replace(evidence, trial=trial, attributions=attributions), name)
        if analysis.route is None:
            return None
        return Followed(_named(analysis.report, name), analysis.route)

    return tuple(_in_time(_in_order(report), answer, spent))


def followed_in_file(analysis: Analysis, spent: float) -> tuple[Followed, ...]:
    """Do what ``followed`` does, for a model whose file alone is read."""
    report, ask = analysis.report, analysis.ask
    if ask is None:
        return ()

    def answer(name: str) -> Followed:
        return Followed(_named(report, name), ask(name))

    return tuple(_in_time(_in_order(report), answer, spent))


def _in_time(
    names: Sequence[str], answer: Callable[[str], Followed | None], spent: float
) -> Iterator[Followed]:
    left, longest = _SECONDS + _SHARE * spent, _FIRST * spent
    for name in names:
        if longest > left:
            return
        begun = time.process_time()
        answered = answer(name)
        if answered is not None:
            yield answered
        took = time.process_time() - begun
        left -= took
        longest = max(took, longest if name != names[0] else 0.0)


def _in_order(report: ModelReport) -> list[str]:
    weights = [variable for variable in report.variables if variable.role is Role.WEIGHT]
    weights.sort(key=lambda weight: weight.verdict is Verdict.FLOWS)
    return [weight.name for weight in weights]


def _named(report: ModelReport, name: str) -> Variable:
    return next(variable for variable in report.variables if variable.name == name)


def _draws(graph: FlowGraph) -> bool:
    return any(
        sign in op and not op.startswith(_STATELESS) for op in set(graph.ops) for sign in _DRAWN
    )
