"""Follow weights to the output while the model is at hand: ``why`` may be asked next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from gradflow.analysis.result import Analysis
from gradflow.diagnose import Evidence, Trial
from gradflow.findings import Followed, ModelReport, Role, Variable, Verdict
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import FlowGraph
from gradflow.ops.families import DRAWS_ANEW, PYTHON_CALLS

Repair = Callable[[str], tuple[Trial | None, Mapping[str, Attribution]]]
"""Tries the smallest repair of a weight; returns what ``Explanation.repair`` does."""
_SECONDS = 0.3
_SHARE = 0.05
"""Processor time that may go into it: so many seconds, and this part of what the analysis took."""
_FIRST = 0.25
"""What the first repair may take, as a part of the analysis: it is a run op by op."""
_STEPS = 4_000
"""Of all ways that are kept for one model, at most: a megabyte."""


def followed(
    evidence: Evidence,
    analysis: Analysis,
    repair: Repair | None,
    analysed: Callable[[Evidence, str], Analysis],
    spent: float,
) -> tuple[Followed, ...]:
    """Return the answers to ``why`` for as many weights as there is time for; those that get no
    useful gradient first.

    ``analysed`` is the analysis that follows one weight whose repair was tried, and ``spent`` the
    processor time of ``analysis`` so far. None of a model that draws without a seed, since each run
    is another one then.
    """
    if repair is None or evidence.graph is None or _draws(evidence.graph):
        return ()

    def mended(name: str) -> Followed | None:
        trial, attributions = repair(name)
        again = analysed(replace(evidence, trial=trial, attributions=attributions), name)
        return None if again.route is None else Followed(_named(again.report, name), again.route)

    def is_cut(name: str) -> bool:
        attribution = evidence.attributions.get(name)
        seen = evidence.sightings.get(name, ())
        in_graph = attribution is not None and attribution.cuts_to_restore
        return bool(in_graph) or any(sighting.cuts_to_restore for sighting in seen)

    return tuple(_in_time(analysis, spent, is_cut, mended))


def followed_in_file(analysis: Analysis, spent: float) -> tuple[Followed, ...]:
    """Do what ``followed`` does, for a model whose file alone is read."""
    return tuple(_in_time(analysis, spent, lambda _: False, lambda _: None))


def _in_time(
    analysis: Analysis,
    spent: float,
    is_cut: Callable[[str], bool],
    mended: Callable[[str], Followed | None],
) -> Iterator[Followed]:
    """Yield the answers, of the weights that are cut after their repair was tried."""
    report, ask = analysis.report, analysis.ask
    if ask is None:
        return
    left, room = _SECONDS + _SHARE * spent, _STEPS
    longest = {True: _FIRST * spent, False: 0.0}
    known: set[bool] = set()
    for weight in _in_order(report):
        tries = is_cut(weight.name)
        if longest[tries] > left:
            continue
        begun = time.process_time()
        answered = mended(weight.name) if tries else Followed(weight, ask(weight.name))
        took = time.process_time() - begun
        left -= took
        longest[tries] = max(took, longest[tries]) if tries in known else took
        known.add(tries)
        room -= len(answered.route.steps) if answered is not None else 0
        if room < 0:
            return
        if answered is not None:
            yield answered


def _in_order(report: ModelReport) -> list[Variable]:
    weights = [variable for variable in report.variables if variable.role is Role.WEIGHT]
    weights.sort(key=lambda weight: weight.verdict is Verdict.FLOWS)
    return weights


def _named(report: ModelReport, name: str) -> Variable:
    return next(variable for variable in report.variables if variable.name == name)


def _draws(graph: FlowGraph) -> bool:
    # What draws from a seed or from a variable draws the same again: these are put back.
    return not (DRAWS_ANEW | PYTHON_CALLS).isdisjoint(graph.ops)
