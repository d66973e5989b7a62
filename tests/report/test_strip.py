"""The strip of a text report: where the model is cut, and how much lies on either side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradflow.findings import ModelReport, Report, Severity
from gradflow.report.layout import Layout
from gradflow.report.people.lines import page_of
from gradflow.report.people.strip import strip_lines
from tests.report.reports import CANONICAL, two_towers


def strip(model: ModelReport, **layout: object) -> list[str]:
    page = page_of(replace(Layout(), **layout))  # type: ignore[arg-type]
    return [line.plain for line in strip_lines(model, page)]


def towers(**changes: object) -> ModelReport:
    (model,) = two_towers().models
    findings = [finding for finding in model.findings if finding.reach is not None]
    return replace(model, findings=tuple(replace(item, **changes) for item in findings))  # type: ignore[arg-type]


def test_it_goes_from_the_input_over_the_cut_to_the_output() -> None:
    assert strip(towers()) == [
        "  x ╎╎╎╎ left/dense_1 ✂ merge ││││││││ head",
        "  no gradient: 3 layers, 102 parameters ✂ the rest: 6 layers, 1,298 parameters",
    ]


def test_a_terminal_without_such_characters_gets_others() -> None:
    assert strip(towers(), encoding="ascii")[0] == "  x :::: left/dense_1 X merge |||||||| head"


def test_what_is_one_layer_has_no_beginning() -> None:
    (finding,) = towers().findings
    assert finding.reach is not None
    alone = replace(finding.reach, start="left/dense_1", layers=1)
    assert strip(towers(reach=alone))[0] == "  ... ╎ left/dense_1 ✂ merge │││││││││││ head"


def test_of_several_cuts_the_one_with_the_most_parameters_behind_it_is_drawn() -> None:
    model = towers()
    (finding,) = model.findings
    assert finding.reach is not None
    assert finding.cause is not None
    reach = replace(finding.reach, parameters=1, layers=1)
    smaller = [
        replace(finding, between=("a", "b"), reach=reach, cause=replace(finding.cause, op=op))
        for op in ("first", "second", "second")
    ]
    cut = replace(model, findings=(smaller[0], finding, *smaller[1:]))
    first, second = strip(cut, width=120)
    assert "left/dense_1 ✂ merge" in first
    assert second.endswith("; also cut at 2 other places")


def test_a_layer_that_is_cut_inside_is_named_once() -> None:
    inside = towers(between=("stopped", "stopped"))
    assert strip(inside)[0] == "  x ╎╎╎╎ ✂ in layer stopped ││││││││ head"
    assert strip(inside, encoding="ascii")[0] == "  x :::: X in layer stopped |||||||| head"


@pytest.mark.parametrize(
    "changes", [{"severity": Severity.NOTE}, {"between": None}, {"reach": None}, {"cause": None}]
)
def test_nothing_is_drawn_where_nothing_is_cut(changes: dict[str, object]) -> None:
    assert strip(towers(**changes)) == []


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("name", ["x", "block4a/" * 40, "名" * 90])
def test_it_fits_with_any_names(width: int, name: str) -> None:
    from rich.cells import cell_len

    for between in ((name, f"{name}after"), (name, name)):
        lines = strip(towers(between=between), width=width)
        assert all(cell_len(line) <= width for line in lines)
        assert any("✂" in line for line in lines)


def test_only_what_is_cut_has_one() -> None:
    drawn = {
        name for name, build in CANONICAL.items() if any(strip(model) for model in build().models)
    }
    assert drawn == {"two_towers", "many", "several"}
    assert isinstance(two_towers(), Report)
