"""Gradients that stand apart from the model's median: by how much, of which kind, and how bad that
is."""

from __future__ import annotations

from gradflow.diagnose.evidence import Evidence, Measurement
from gradflow.diagnose.scale import outliers, scale_findings
from gradflow.files.model_file import StoredVariable
from gradflow.findings import Gradient, Role, Severity
from gradflow.options import Thresholds

ORDINARY = {"a": 1.0, "b": 2.0, "c": 3.0}


def measured(sizes: dict[str, float]) -> dict[str, Measurement]:
    return {
        name: Measurement(Gradient(size, size, 0.0, None), finite=True)
        for name, size in sizes.items()
    }


def evidence(sizes: dict[str, float], **more: object) -> Evidence:
    stored = tuple(
        StoredVariable(name, None, (2,), "float32", Role.WEIGHT, trainable=True, frozen_by=None)
        for name in sizes
    )
    return Evidence(variables=stored, measurements=measured(sizes), **more)


def found(sizes: dict[str, float], **more: object) -> list[tuple[str, Severity, tuple[str, ...]]]:
    return [
        (one.code, one.severity, one.variables) for one in scale_findings(evidence(sizes, **more))
    ]


def test_what_is_within_a_million_of_the_median_is_ordinary() -> None:
    assert found({**ORDINARY, "d": 1e-5, "e": 1e5}) == []


def test_what_is_beyond_is_reported_by_its_order_of_magnitude() -> None:
    assert found({**ORDINARY, "tiny": 1e-9}) == [("GF305", Severity.WARNING, ("tiny",))]
    assert found({**ORDINARY, "huge": 1e9}) == [("GF306", Severity.WARNING, ("huge",))]
    (finding,) = scale_findings(evidence({**ORDINARY, "d": 1.0, "tiny": 1e-9}))
    assert "1e-9" in finding.message


def test_a_gradient_of_ordinary_size_explodes_nothing_however_small_the_others_are() -> None:
    assert found({"a": 1e-8, "b": 1e-8, "c": 1e-8, "stem": 5.0}) == []


def test_a_small_one_of_ordinary_size_says_that_the_others_are_large() -> None:
    (large,) = scale_findings(evidence({"a": 1e8, "b": 1e8, "c": 1e8, "head": 1.0}))
    (small,) = scale_findings(evidence({**ORDINARY, "d": 1.0, "tiny": 1e-9}))
    assert "the others are large" in large.hint
    assert "the others are large" not in small.hint


def test_a_mathematical_zero_is_a_note_that_says_what_makes_it_one() -> None:
    (finding,) = scale_findings(
        evidence({**ORDINARY, "bias": 1e-8}, cancelled={"bias": "the softmax behind it"})
    )
    assert finding.severity is Severity.NOTE
    assert "the softmax behind it" in finding.message


def test_sizes_under_moving_averages_are_not_those_of_training() -> None:
    assert found({**ORDINARY, "tiny": 1e-9}, has_running_statistics=True) == [
        ("GF305", Severity.NOTE, ("tiny",))
    ]


def test_the_noise_of_a_short_type_is_looked_into_and_not_reported() -> None:
    sizes = {**ORDINARY, "noise": 4e-3}
    assert [one.name for one in outliers(measured(sizes), list(sizes), 2.0**-10)] == ["noise"]
    assert found(sizes, epsilon=2.0**-10) == []


def test_a_margin_takes_in_what_a_larger_median_would_make_an_outlier() -> None:
    sizes = {**ORDINARY, "near": 4e-6}
    assert outliers(measured(sizes), list(sizes), 1e-7) == ()
    assert [one.name for one in outliers(measured(sizes), list(sizes), 1e-7, margin=3.0)] == [
        "near"
    ]


def test_the_users_thresholds_count_and_the_ordinary_size_does_not_stand_in_their_way() -> None:
    sizes = {**ORDINARY, "small": 1e-3, "large": 200.0}
    assert found(sizes) == []
    assert found(sizes, thresholds=Thresholds(vanishing=1e-2, exploding=50)) == [
        ("GF305", Severity.WARNING, ("small",)),
        ("GF306", Severity.WARNING, ("large",)),
    ]
