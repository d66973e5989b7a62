"""The text of many models: what is fine takes a line each, what is not is told in full."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradflow.findings import ExpectationStatus, ModelReport, Report
from gradflow.report.headline import headline, standing
from gradflow.report.layout import Layout
from gradflow.report.text import render
from tests.report.reports import CANONICAL, TOOL, frozen, healthy, many, two_towers

MODELS = [
    replace(model, path=f"{name}/{place}")
    for name, build in CANONICAL.items()
    for place, model in enumerate(build().models)
]


def shown(*models: ModelReport, brief: bool = True, show_all: bool = False) -> str:
    return render(Report(TOOL, models), Layout(width=2000, brief=brief, show_all=show_all))


def first_line(model: ModelReport) -> str:
    return headline(model) if model.error is None else shown(model).splitlines()[0]


def test_every_model_has_its_headline_in_the_order_given() -> None:
    lines = shown(*MODELS).splitlines()
    places = [lines.index(first_line(model)) for model in MODELS]

    assert places == sorted(places)


@pytest.mark.parametrize("build", [healthy, frozen])
def test_a_thousand_models_that_are_as_they_should_be_are_a_thousand_lines(build: object) -> None:
    assert callable(build)
    models = [replace(build().models[0], path=f"m{number}.keras") for number in range(1000)]

    lines = shown(*models).splitlines()

    assert lines[:-2] == [headline(model) for model in models]
    assert lines[-1] == f"1,000 models: 1,000 {standing(models[0])}"


@pytest.mark.parametrize("build", [two_towers, many])
def test_what_is_found_is_told_as_ever(build: object) -> None:
    assert callable(build)

    assert shown(*build().models) == shown(*build().models, brief=False)


def test_an_expectation_that_is_not_kept_is_told() -> None:
    model = CANONICAL["expectations"]().models[0]
    model = replace(model, findings=())
    assert any(not one.is_kept for one in model.expectations)

    assert len(shown(model).splitlines()) > 1
    kept = replace(
        model,
        expectations=tuple(
            replace(one, status=ExpectationStatus.KEPT) for one in model.expectations
        ),
    )
    assert len(shown(kept).splitlines()) == 1


def test_all_shows_all() -> None:
    assert shown(*MODELS, show_all=True) == shown(*MODELS, brief=False, show_all=True)
