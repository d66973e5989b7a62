"""Random models with planted cuts: gradflow finds every one of them, in memory and in every kind of
file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings

from tests.agreement.compare import Score, compare_with_plan, compare_with_tape
from tests.agreement.planted_run import read_alone, run_plan
from tests.examples import examples
from tests.models.plan import Plan, plans, seeded_plan
from tests.models.truth import expected

pytestmark = pytest.mark.tensorflow

EXAMPLES = examples(20)
"""Models of the hypothesis test; each other test takes its share."""
RANDOM = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@RANDOM
@given(plans())
def test_every_planted_cut_is_found_in_memory(plan: Plan) -> None:
    note(str(plan))
    score = run_plan(plan, "memory")
    assert score.complaints == []


@pytest.mark.parametrize("kind", ["keras", "h5", "export", "module", "saved"])
def test_every_planted_cut_is_found_in_files(kind: str, tmp_path: Path) -> None:
    total = Score()
    for seed in range(max(2, EXAMPLES // 5)):
        score = run_plan(seeded_plan(seed, layers_only=kind == "h5"), kind, tmp_path / str(seed))
        assert score.complaints == [], f"seed {seed}"
        total.add(score)
    print(total.line())
    assert total.cut_weights, "no cut was met: the test shows nothing"


@pytest.mark.parametrize("count", [6, pytest.param(300, marks=pytest.mark.slow)])
def test_every_planted_cut_is_found_by_reading_alone(count: int, tmp_path: Path) -> None:
    total = Score()
    for seed in range(count):
        kind = "keras" if seed % 3 else "h5"
        plan = seeded_plan(1000 + seed, layers_only=kind == "h5")
        score = read_alone(plan, kind, tmp_path / str(seed))
        assert score.complaints == [], f"seed {1000 + seed}"
        total.add(score)
    print(total.line())
    assert total.cut_weights, "no cut was met: the test shows nothing"
    assert total.agreed == total.weights


def test_comparison_notices_a_wrong_plan() -> None:
    """The comparison itself can fail: a report held against another model's plan does not pass."""
    from tests.agreement.subject import report_on_model
    from tests.models.oracle import measure_model
    from tests.models.planted import build

    cut = next(
        plan
        for plan in map(seeded_plan, range(100))
        if any(t.causes for t in expected(plan).values())
    )
    other = next(
        plan
        for plan in map(seeded_plan, range(1, 100))
        if expected(plan).keys() != expected(cut).keys()
    )
    model = build(other)
    report = report_on_model(model)
    assert compare_with_plan(report, cut, expected(cut), measure_model(model)).complaints
    assert compare_with_tape(report, lambda seed: measure_model(build(cut), seed=seed)).complaints
