"""Expectations on reports made by hand: each kind kept and broken, and what is never said without
looking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.findings import (
    Acceptance,
    Cause,
    Failure,
    Finding,
    ModelReport,
    Severity,
    Status,
    Variable,
    Verdict,
)
from gradflow.policy import (
    FROZEN_PATTERNS,
    CutExpectation,
    Expectations,
    Ignore,
    accept,
    is_broken,
    judge,
    selected,
    snapshot,
)
from gradflow.report.model_parts import by_severity
from tests.report.reports import analyzed, dense, names, state, weight

TODAY = date(2026, 6, 1)
STOP = Cause("GF201", "stop_gradient", op="m/StopGradient", op_type="StopGradient")
ARGMAX = Cause("GF202", "non_differentiable", op="m/ArgMax", op_type="ArgMax")


def model(variables: Iterable[Variable], **changes: object) -> ModelReport:
    return analyzed("m.keras", variables, **changes)


def frozen(layer: str, by: str | None = None) -> list[Variable]:
    return dense(layer, 4, 4, trainable=False, frozen_by=by or layer)


def starved(layer: str, cause: Cause = STOP, verdict: Verdict = Verdict.NONE) -> list[Variable]:
    return dense(layer, 4, 4, verdict=verdict, causes=(cause,), cuts_to_restore=1)


def found(
    variables: Iterable[Variable], cause: Cause = STOP, severity: Severity = Severity.ERROR
) -> Finding:
    return Finding(
        cause.code,
        severity,
        "gradient is cut",
        hint="mend it",
        variables=names(variables),
        cause=cause,
    )


def codes(report: ModelReport) -> list[str]:
    return [finding.code for finding in report.findings]


def outcomes(report: ModelReport) -> list[tuple[str, str, str]]:
    return [(one.kind, one.pattern, one.status) for one in report.expectations]


DENSE_HEAD = dense("head", 4, 4)
HEALTHY = model(dense("backbone/a", 4, 4) + dense("head", 4, 4))
FROZEN = model(frozen("backbone/a", "backbone") + dense("head", 4, 4))
CUT = model(starved("encoder") + dense("head", 4, 4), findings=(found(starved("encoder")),))

PAIRS = [
    # kept, broken, the codes of what is broken
    (HEALTHY, Expectations(), FROZEN, ["GF401"]),
    (HEALTHY, Expectations(), CUT, ["GF201"]),
    (FROZEN, Expectations(frozen=("backbone/**",)), HEALTHY, ["GF402"]),
    (HEALTHY, Expectations(frozen=()), FROZEN, ["GF401"]),
    (HEALTHY, Expectations(trainable=("backbone/**",)), FROZEN, ["GF401"]),
    (HEALTHY, Expectations(trainable=("**",)), CUT, ["GF201"]),
    (CUT, Expectations(cut=(CutExpectation("encoder/**", "StopGradient"),)), HEALTHY, ["GF403"]),
    (
        CUT,
        Expectations(cut=(CutExpectation("encoder/**", "StopGradient"),)),
        model(dense("encoder", 4, 4) + dense("head", 4, 4)),
        ["GF402"],
    ),
    (
        CUT,
        Expectations(cut=(CutExpectation("encoder/**", "GF201"),)),
        model(
            starved("encoder", ARGMAX) + dense("head", 4, 4),
            findings=(found(starved("encoder"), ARGMAX),),
        ),
        ["GF202"],
    ),
    (CUT, Expectations(ignore=(Ignore("encoder/**", ("GF201",)),)), HEALTHY, ["GF403"]),
]


@pytest.mark.parametrize(("kept", "expected", "broken", "found_codes"), PAIRS)
def test_kept_and_broken(
    kept: ModelReport, expected: Expectations, broken: ModelReport, found_codes: list[str]
) -> None:
    good, bad = judge(kept, expected, TODAY), judge(broken, expected, TODAY)

    assert not is_broken(good, Severity.WARNING)
    assert {one.status for one in good.expectations} <= {"kept"}
    assert is_broken(bad, Severity.WARNING)
    assert [code for code in codes(bad) if code != "GF101"] == found_codes


def test_a_frozen_weight_that_is_asked_to_be_both_breaks_with_a_word_about_it() -> None:
    both = Expectations(frozen=("backbone/**",), trainable=("**/kernel",))

    for report in (FROZEN, HEALTHY):
        judged = judge(report, both, TODAY)
        assert is_broken(judged, Severity.ERROR)
        told = [finding for finding in judged.findings if "contradict" in finding.message]
        assert [finding.hint for finding in told] == ["narrow one of the two patterns"]


@pytest.mark.parametrize(
    ("expected", "severity"),
    [
        (Expectations(frozen=("backbone/**",)), Severity.NOTE),
        (Expectations(frozen=("backbone/**/kernel",)), Severity.WARNING),
        (Expectations(trainable=("head/**",)), Severity.WARNING),
    ],
)
def test_a_doubt_about_flags_that_an_expectation_answers_is_a_note(
    expected: Expectations, severity: Severity
) -> None:
    weights = frozen("backbone/a", "backbone")
    doubt = Finding(
        "GF102", Severity.WARNING, "doubtful", hint="say it", variables=names(weights), cause=None
    )
    report = model(weights + dense("head", 4, 4), findings=(doubt,))

    judged = judge(report, expected, TODAY)

    assert [one.severity for one in judged.findings if one.code == "GF102"] == [severity]
    assert is_broken(judged, Severity.WARNING) is (severity is Severity.WARNING)


def test_no_expectation_settles_how_a_model_was_trained() -> None:
    weights = frozen("backbone/a", "backbone")
    doubt = Finding(
        "GF102",
        Severity.WARNING,
        "late",
        hint="",
        variables=names(weights),
        cause=None,
        is_of_the_past=True,
    )
    report = model(weights + dense("head", 4, 4), findings=(doubt,))

    judged = judge(report, Expectations(frozen=("backbone/**",)), TODAY)

    assert is_broken(judged, Severity.WARNING)


def test_one_frozen_layer_is_one_finding() -> None:
    report = model(frozen("a", "backbone") + frozen("b", "backbone") + frozen("c"))

    judged = judge(report, Expectations(), TODAY)

    assert [(one.code, len(one.variables)) for one in judged.findings] == [
        ("GF401", 4),
        ("GF401", 2),
    ]


def test_more_than_a_few_frozen_layers_share_a_finding() -> None:
    layers = [f"backbone/layer_{number}" for number in range(91)]
    report = model([*(weight for layer in layers for weight in frozen(layer)), *DENSE_HEAD])

    (finding,) = judge(report, Expectations(), TODAY).findings

    assert finding.message == (
        "frozen by trainable=False of backbone/layer_0 and 90 more layers, but nothing is expected "
        "to be frozen"
    )
    assert len(finding.variables) == 182


def test_a_frozen_finding_names_what_accepts_it() -> None:
    report = replace(FROZEN, path="my models/m.keras")
    otherwise = "; else unfreeze the layer that is named and save again"

    def hint(expected: Expectations) -> str:
        (finding,) = judge(report, expected, TODAY).findings
        return finding.hint

    assert hint(Expectations()) == (
        f"if it is meant, gradflow init 'my models/m.keras' accepts it{otherwise}"
    )
    accepting = f"frozen: {FROZEN_PATTERNS} below expect in gradflow.yaml accepts it"
    in_file = Expectations(accepting=accepting)
    assert hint(in_file) == (
        'if it is meant, frozen: ["backbone/**"] below expect in gradflow.yaml accepts it'
        f"{otherwise}"
    )


def test_what_is_wrong_with_gradients_is_said_before_what_is_frozen() -> None:
    cut = starved("encoder")
    dead = found(cut, replace(STOP, code="GF303"), Severity.WARNING)
    report = model([*frozen("backbone"), *cut, *DENSE_HEAD], findings=(dead,))

    judged = judge(report, Expectations(), TODAY)

    assert [finding.code for finding in by_severity(judged)] == ["GF303", "GF401"]


def test_a_pattern_takes_out_what_those_before_it_covered() -> None:
    report = model([*frozen("b/a"), *frozen("b/c"), *dense("b/head", 4, 4), *DENSE_HEAD])

    judged = judge(report, Expectations(frozen=("b/**", "!b/head/**")), TODAY)

    assert outcomes(judged) == [("frozen", "b/**", "kept"), ("frozen", "!b/head/**", "kept")]
    assert not is_broken(judged, Severity.WARNING)
    too_many = judge(report, Expectations(frozen=("b/**", "!b/c/**", "!b/head/**")), TODAY)
    assert [(one.code, one.variables) for one in too_many.findings] == [
        ("GF401", names(frozen("b/c")))
    ]
    again = Expectations(trainable=("**", "!b/**", "b/head/**"), frozen=("b/a/**", "b/c/**"))
    assert not is_broken(judge(report, again, TODAY), Severity.WARNING)


def test_a_pattern_that_takes_out_nothing_is_told() -> None:
    report = model([*frozen("b/a"), *dense("b/head", 4, 4)])

    judged = judge(report, Expectations(frozen=("b/a/**", "!b/heda/**")), TODAY)

    (finding,) = [finding for finding in judged.findings if finding.code == "GF403"]
    assert finding.message == (
        "expect.frozen '!b/heda/**' takes out no weight that a pattern before it covers"
    )
    assert finding.hint == "did you mean '!b/head/**'?"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("backbnoe/**", "did you mean 'backbone/**'?"),
        ("backbone", "it is a layer: write 'backbone/**' for its weights"),
        ("**/moving_mean", "only state ('norm/moving_mean'), which is never trained"),
        ("zzz/**", "gradflow inspect MODEL --all"),
    ],
)
def test_what_covers_nothing_is_told_with_what_is_near(pattern: str, words: str) -> None:
    report = model(
        [*frozen("backbone/a", "backbone"), *dense("head", 4, 4), state("norm/moving_mean", 4)]
    )

    judged = judge(report, Expectations(frozen=(pattern, "backbone/**")), TODAY)

    assert outcomes(judged)[0] == ("frozen", pattern, "unmatched")
    assert [
        words in f"{one.message} {one.hint}" for one in judged.findings if one.code == "GF403"
    ] == [True]
    assert is_broken(judged, Severity.ERROR)


def test_a_pattern_that_covers_state_beside_weights_is_about_the_weights() -> None:
    report = model([*frozen("norm"), state("norm/moving_mean", 4), *dense("head", 4, 4)])

    assert outcomes(judge(report, Expectations(frozen=("norm/**",)), TODAY)) == [
        ("frozen", "norm/**", "kept")
    ]


def test_an_ignore_holds_to_its_last_day_and_not_longer() -> None:
    until = Expectations(ignore=(Ignore("encoder/**", ("GF201",), "known", date(2026, 6, 1)),))

    assert not is_broken(judge(CUT, until, date(2026, 6, 1)), Severity.WARNING)
    late = judge(CUT, until, date(2026, 6, 2))
    assert is_broken(late, Severity.WARNING)
    assert "expired on 2026-06-01" in late.findings[0].hint


def test_an_ignore_hides_its_codes_only() -> None:
    assert codes(judge(CUT, Expectations(ignore=(Ignore("encoder/**", ("GF206",)),)), TODAY)) == [
        "GF201",
        "GF403",
    ]


def test_what_is_ignored_is_counted() -> None:
    judged = judge(
        CUT, Expectations(ignore=(Ignore("encoder/kernel"), Ignore("encoder/bias"))), TODAY
    )

    assert [one.variables for one in judged.expectations] == [
        ("encoder/kernel",),
        ("encoder/bias",),
    ]
    assert judged.open_findings == ()
    assert [finding.variables for finding in judged.accepted_findings] == [
        ("encoder/kernel",),
        ("encoder/bias",),
    ]


def test_what_is_accepted_is_kept_with_the_line_that_says_so() -> None:
    rule = Ignore("encoder/kernel", ("GF201",), "teacher", stands_at="gradflow.yaml:12")

    judged = judge(CUT, Expectations(ignore=(rule,)), TODAY)

    assert [(finding.variables, finding.accepted) for finding in judged.findings] == [
        (("encoder/kernel",), Acceptance("gradflow.yaml:12", "teacher")),
        (("encoder/bias",), None),
    ]
    assert is_broken(judged, Severity.WARNING)


def test_an_expected_cut_accepts_what_is_said_of_it() -> None:
    cut = CutExpectation("encoder/**", "StopGradient", "target", stands_at="gradflow.yaml:7")

    judged = judge(CUT, Expectations(cut=(cut,)), TODAY)

    assert [finding.accepted for finding in judged.findings] == [
        Acceptance("gradflow.yaml:7", "target")
    ]
    assert not is_broken(judged, Severity.WARNING)


def test_a_finding_is_accepted_once() -> None:
    """The cut comes first, then the ignore, the baseline and the option: the first one counts."""
    rules = Expectations(
        cut=(CutExpectation("encoder/**", "StopGradient", stands_at="gradflow.yaml:7"),),
        ignore=(Ignore("**", stands_at="gradflow.yaml:9"),),
    )
    judged = accept(judge(CUT, rules, TODAY), replace(snapshot(CUT), path="baseline.json"))

    assert [
        finding.accepted.by
        for finding in selected(judged, (), ("GF2",)).findings
        if finding.accepted is not None
    ] == ["gradflow.yaml:7"]
    assert outcomes(judged)[1] == ("ignore", "**", "unmatched")


def test_the_option_ignore_marks_and_hides_nothing() -> None:
    judged = selected(judge(CUT, Expectations(), TODAY), (), ("GF2",))

    assert [finding.accepted for finding in judged.findings] == [
        Acceptance("ignore", "--ignore GF2")
    ]
    assert not is_broken(judged, Severity.WARNING)


def test_a_harmless_zero_breaks_nothing() -> None:
    zero = Cause("GF303", "dead", op="m/MatMul", op_type="MatMul")
    weights = starved("adapter/b", zero, Verdict.ZERO)
    report = model(weights, findings=(found(weights, zero, Severity.NOTE),))

    assert not is_broken(
        judge(report, Expectations(trainable=("adapter/**",)), TODAY), Severity.WARNING
    )


def test_a_zero_that_stays_is_an_error_where_the_weight_is_expected_to_train() -> None:
    zero = Cause("GF303", "dead", op="m/MatMul", op_type="MatMul")
    weights = starved("adapter", zero, Verdict.ZERO) + starved("other", zero, Verdict.ZERO)
    report = model(weights, findings=(found(weights, zero, Severity.WARNING),))

    judged = judge(report, Expectations(trainable=("adapter/**",)), TODAY)

    assert [(finding.severity, finding.variables) for finding in judged.findings] == [
        (Severity.ERROR, ("adapter/kernel", "adapter/bias")),
        (Severity.WARNING, ("other/kernel", "other/bias")),
    ]


def test_a_dead_weight_breaks_an_explicit_expectation_whatever_fails_the_build() -> None:
    zero = Cause("GF303", "dead", op="m/Relu", op_type="Relu")
    weights = starved("a", zero, Verdict.ZERO)
    report = model(weights, findings=(found(weights, zero, Severity.WARNING),))

    assert is_broken(judge(report, Expectations(trainable=("a/**",)), TODAY), Severity.ERROR)
    assert not is_broken(judge(report, Expectations(), TODAY), Severity.ERROR)
    assert is_broken(judge(report, Expectations(), TODAY), Severity.WARNING)


def test_two_weights_of_one_name_are_both_meant() -> None:
    twins = [
        weight("dense/kernel@left", 4, trainable=False),
        weight("dense/kernel@right", 4, trainable=False),
    ]

    judged = judge(
        model([*twins, *dense("head", 4, 4)]), Expectations(frozen=("dense/kernel",)), TODAY
    )

    assert judged.expectations[0].variables == names(twins)
    assert not is_broken(judged, Severity.WARNING)


def test_a_model_that_could_not_be_checked_stays_so() -> None:
    report = replace(
        HEALTHY, status=Status.FAILED, error=Failure("GF901", "is missing", ""), variables=()
    )

    assert judge(report, Expectations(frozen=("a",)), TODAY) is report


WEIGHTS = st.lists(st.sampled_from(["a/k", "a/b", "b/k", "c/d/k"]), unique=True, min_size=1)
PATTERNS = st.lists(
    st.sampled_from(["**", "a/**", "b/k", "*/k", "c/**", "x"]), unique=True, max_size=3
)


@given(WEIGHTS, st.sets(st.sampled_from(["a/k", "a/b", "b/k", "c/d/k"])), PATTERNS)
def test_frozen_is_kept_exactly_where_the_flags_are_those(
    here: list[str], still: set[str], patterns: list[str]
) -> None:
    """Held against the words of the interface: these are frozen, and nothing else is; none of them
    is empty."""

    from gradflow.patterns import matches

    report = model([weight(name, 4, trainable=name not in still) for name in here])
    wanted = {name for name in here if any(matches(pattern, name) for pattern in patterns)}
    idle = [pattern for pattern in patterns if not any(matches(pattern, name) for name in here)]

    judged = judge(report, Expectations(frozen=tuple(patterns)), TODAY)

    assert is_broken(judged, Severity.ERROR) is (wanted != still & set(here) or bool(idle))


def test_a_baseline_accepts_what_was_there_and_nothing_else() -> None:
    base = snapshot(judge(CUT, Expectations(), TODAY))
    again = accept(judge(CUT, Expectations(), TODAY), base)
    worse = model(
        starved("encoder") + starved("head"),
        findings=(found(starved("encoder") + starved("head")),),
    )
    later = accept(judge(worse, Expectations(), TODAY), base)

    assert (again.open_findings, is_broken(again, Severity.WARNING)) == ((), False)
    assert [one.accepted.by for one in again.findings if one.accepted] == ["baseline"]
    assert is_broken(later, Severity.WARNING)
    assert [(one.code, one.variables) for one in later.open_findings] == [
        ("GF404", ("head/kernel", "head/bias")),
        ("GF201", ("head/kernel", "head/bias")),
    ]


def test_a_baseline_notes_what_got_better() -> None:
    base = snapshot(judge(CUT, Expectations(), TODAY))
    better = accept(
        judge(model(dense("encoder", 4, 4) + dense("tail", 4, 4)), Expectations(), TODAY), base
    )

    assert not is_broken(better, Severity.WARNING)
    assert [one.message.partition(" since")[0] for one in better.findings] == [
        "has gained a gradient (none -> flows)",
        "new",
        "gone",
    ]


def test_a_baseline_sees_flags_change_both_ways() -> None:
    for before, after, word in (
        (HEALTHY, FROZEN, "frozen (by backbone)"),
        (FROZEN, HEALTHY, "unfrozen"),
    ):
        later = accept(after, snapshot(before))
        assert is_broken(later, Severity.ERROR)
        assert later.findings[0].message == f"{word} since the baseline was taken"


def test_a_baseline_does_not_mind_new_numbers_of_ops() -> None:
    renumbered = replace(STOP, op="m_3/StopGradient_1")
    weights = starved("encoder", renumbered)
    again = model(weights + dense("head", 4, 4), findings=(found(weights, renumbered),))

    assert accept(again, snapshot(CUT)).open_findings == ()


def test_a_file_without_flags_answers_no_expectation_of_flags() -> None:
    silent = Finding(
        "GF102",
        Severity.NOTE,
        "the file records no freeze flags",
        hint="save it anew",
        variables=(),
        cause=None,
    )
    exported = replace(HEALTHY, findings=(silent,))

    assert not is_broken(judge(exported, Expectations(), TODAY), Severity.WARNING)
    assert is_broken(judge(exported, Expectations(frozen=()), TODAY), Severity.ERROR)


def test_a_cut_by_something_else_tells_what_was_expected() -> None:
    other = model(starved("encoder", ARGMAX), findings=(found(starved("encoder"), ARGMAX),))

    (finding,) = judge(
        other, Expectations(cut=(CutExpectation("encoder/**", "StopGradient"),)), TODAY
    ).findings

    assert finding.hint == "mend it (expect.cut says: by StopGradient)"
