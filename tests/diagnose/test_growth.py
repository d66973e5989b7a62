"""What follows the step takes time in proportion to the weights and findings of a model.

Counted in lines of Python that are run, for nothing else is the same on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

import pytest

from gradflow.diagnose import Measurement, diagnose, visible_paths
from gradflow.diagnose.flow_map import draw_map
from gradflow.diagnose.where import Whereabouts
from gradflow.findings import Gradient, Output
from gradflow.flow.graph import Edge
from gradflow.report.formats import FORMATS, renderer
from gradflow.report.layout import Layout
from gradflow.report.reach import reach_sentences
from tests.diagnose.grown import chain, report_of, towers

SMALL, LARGE = 60, 240
MOST = 6.0
"""Times as many lines for four times the weights: far from the 16 of a quadratic part."""


def lines(work: Callable[[], object]) -> int:
    """Lines that are run, those of a comprehension once for each item."""
    count = 0

    def counting(frame: FrameType, event: str, argument: object) -> object:
        nonlocal count
        count += event == "line"
        return counting

    before = sys.gettrace()
    sys.settrace(counting)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("each", [1, 10])
def test_attributing_and_diagnosing(each: int) -> None:
    """With a finding for each weight, and for each ten of them."""

    def taken(weights: int) -> int:
        return lines(lambda: diagnose(towers(weights, each)))

    assert taken(SMALL)  # what is imported and filled once
    assert taken(LARGE) < MOST * taken(SMALL)


@pytest.fixture
def short_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show less of a path than there is of the shortest one: a longer one adds nothing to that."""
    monkeypatch.setattr(visible_paths, "_ENDS", SMALL // 3)


@pytest.mark.usefixtures("short_paths")
def test_paths_along_one_chain() -> None:

    def taken(weights: int) -> int:
        evidence = chain(weights)
        return lines(lambda: diagnose(evidence))

    assert taken(2 * SMALL)
    assert taken(2 * LARGE) < MOST * taken(2 * SMALL)


@pytest.mark.usefixtures("short_paths")
def test_zeros_along_one_chain() -> None:
    """A step shows zeros where the graph leads to the output: each way may go through a branch."""

    def taken(weights: int) -> int:
        evidence = chain(weights, Edge.FLOW)
        nothing = Measurement(Gradient(0.0, 0.0, 1.0, None), finite=True)
        measured = dict.fromkeys(evidence.attributions, nothing)
        return lines(lambda: diagnose(replace(evidence, measurements=measured)))

    assert taken(SMALL)
    assert taken(LARGE) < MOST * taken(SMALL)


def test_ends_of_the_ways_along_one_chain() -> None:
    """With more outputs than one, the one at which each ends is looked for."""
    outputs = (Output("other", (1,), "float32"), Output("y", (1,), "float32"))

    def taken(weights: int) -> int:
        evidence = replace(chain(weights), outputs=outputs)
        assert evidence.graph is not None
        graph = replace(evidence.graph, outputs=[0, *evidence.graph.outputs])
        where = Whereabouts(evidence, graph, {})
        ends: set[str | None] = set()
        count = lines(lambda: ends.update(map(where.end_of, evidence.attributions)))
        assert ends == {"y"}
        return count

    assert taken(SMALL)
    assert taken(LARGE) < MOST * taken(SMALL)


@pytest.mark.parametrize("format", FORMATS)
def test_writing_a_report(format: str) -> None:
    render = renderer(format)

    def taken(weights: int) -> int:
        evidence = towers(weights, 3)
        variables, findings = diagnose(evidence)
        report = report_of(variables, findings, draw_map(evidence, variables, ()))
        return lines(lambda: render(report, Layout()))

    assert taken(SMALL // 2)
    assert taken(LARGE // 2) < MOST * taken(SMALL // 2)


def test_of_many_cuts_those_that_reach_furthest_are_told() -> None:
    evidence = towers(12, 2)
    variables, findings = diagnose(evidence)
    (model,) = report_of(variables, findings, draw_map(evidence, variables, ())).models
    *first, more = reach_sentences(model)

    assert len(first) == 3
    assert more == "and 3 more cuts, of which none reaches further"
