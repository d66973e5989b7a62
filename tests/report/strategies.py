"""Random reports, with every kind of name that a model file can hold."""

from __future__ import annotations

from hypothesis import strategies as st

from gradflow.findings import (
    Cause,
    Expectation,
    Failure,
    Finding,
    Gradient,
    ModelReport,
    Reach,
    Report,
    Variable,
)
from tests.report.reports import HOSTILE

_NAMES = st.one_of(
    st.sampled_from(
        [
            "dense/kernel",
            "dense/bias",
            "block_1/conv",
            "block_2/conv",
            "a1/b1/c",
            "a2/b2/c",
            "[bold]",
            ":x:",
        ]
    ),
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3).map("/".join),
    st.text(max_size=12),
    st.text(alphabet="ab/[]1\x1b\u202e\u9b42 ", min_size=60, max_size=130),
)
_FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _maybe(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | strategy


def _tuples(strategy: st.SearchStrategy, size: int) -> st.SearchStrategy:
    return st.lists(strategy, max_size=size).map(tuple)


def reports() -> st.SearchStrategy[Report]:
    """Reports whose parts need not fit each other: a renderer must live with that."""
    causes = st.builds(
        Cause,
        code=st.sampled_from(["GF201", "GF204", "GF303"]),
        op=_maybe(_NAMES),
        op_type=_maybe(_NAMES),
        layer=_maybe(_NAMES),
        reenters_at=_maybe(_NAMES),
        source=_maybe(_NAMES),
    )
    gradients = st.builds(
        Gradient, norm=st.none() | _FINITE, max_abs=st.none() | _FINITE, zero_fraction=_FINITE
    )
    variables = st.builds(
        Variable,
        name=_NAMES,
        layer=_maybe(_NAMES),
        frozen_by=_maybe(_NAMES),
        gradient=st.none() | gradients,
        causes=_tuples(causes, 2),
        path=_tuples(_NAMES, 12),
    )
    counts = st.integers(0, 2000)
    reaches = st.builds(
        Reach,
        start=_maybe(_NAMES),
        ends=st.lists(_NAMES, min_size=1, max_size=5).map(tuple),
        layers=counts,
        all_layers=counts,
        frozen=counts,
        parameters=counts,
        all_parameters=counts,
    )
    findings = st.builds(
        Finding,
        code=st.sampled_from(["GF101", "GF201", "GF206", "GF303", "GF401"]),
        message=_NAMES,
        variables=_tuples(_NAMES, 3),
        cause=st.none() | causes,
        between=st.none() | st.tuples(_NAMES, _NAMES),
        reach=st.none() | reaches,
    )
    expectations = st.builds(Expectation, pattern=_NAMES, variables=_tuples(_NAMES, 3))
    failures = st.builds(
        Failure, code=st.sampled_from(["GF901", "GF902", "GF903"]), message=_NAMES, hint=_NAMES
    )
    models = st.builds(
        ModelReport,
        path=_NAMES,
        error=st.none() | failures,
        variables=_tuples(variables, 5),
        findings=_tuples(findings, 3),
        expectations=_tuples(expectations, 2),
    )
    return st.builds(Report, models=_tuples(models, 2))
