"""The answer of ``gradflow why``: golden pages at 80 and 140 columns, and what holds for every
answer."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from gradflow.findings import ModelReport, Proof, Report, Route
from gradflow.findings.wire import decode
from gradflow.report.answers import why
from gradflow.report.answers.why import Answer, headline
from gradflow.report.layout import Layout
from gradflow.report.text import render as render_text
from tests.report.reports import TOOL, several
from tests.report.routes import (
    ANSWERS,
    STOP,
    cause,
    dead,
    frozen,
    passage,
    side_by_side,
    two_cuts,
    unused,
)

GOLDEN = Path(__file__).parent / "golden" / "why"


def render(model: ModelReport, route: Route | None, **layout: Any) -> str:
    return why.render(Answer(TOOL, model, route), Layout(**layout))


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("name", ANSWERS)
def test_golden(name: str, width: int) -> None:
    text = render(*ANSWERS[name](), width=width)
    golden = GOLDEN / f"{name}.{width}.txt"
    if os.environ.get("GRADFLOW_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert text == golden.read_text(encoding="utf-8")


def test_every_golden_file_has_its_answer() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {
        f"{name}.{width}.txt" for name in ANSWERS for width in (80, 140)
    }


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("mode", [{}, {"show_all": True}, {"encoding": "ascii"}])
@pytest.mark.parametrize("name", ANSWERS)
def test_no_line_is_wider_than_asked(name: str, mode: dict[str, object], width: int) -> None:
    lines = render(*ANSWERS[name](), width=width, **mode).splitlines()
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("name", ANSWERS)
def test_color_adds_styles_and_nothing_else(name: str) -> None:
    plain, colored = render(*ANSWERS[name]()), render(*ANSWERS[name](), color=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


def test_the_headline_is_the_first_line() -> None:
    for build in ANSWERS.values():
        assert render(*build(), width=400).splitlines()[0] == headline(*build())


def test_gradient_comes_up_to_the_cut_nearest_to_the_output_and_no_further() -> None:
    drawn = [
        line[5] for line in render(*two_cuts()).splitlines() if re.match(r"     [╎✂│⋮▼]  ", line)
    ]
    assert drawn == ["╎", "╎", "✂", "╎", "╎", "╎", "✂", "│", "│", "▼"]
    drawn = [line[5] for line in render(*dead()).splitlines() if re.match(r"     [╎●│▼]  ", line)]
    assert drawn == ["╎", "●", "│", "▼"]


def test_each_cut_is_marked_with_its_reason_and_repaired_in_that_order() -> None:
    text = render(*two_cuts(), width=140)
    assert "✂  net/left/quantize  GF202 non_differentiable, Round, layer left, net.py:17\n" in text
    assert "✂  net/target/StopGradient  GF201 stop_gradient, layer target, net.py:41\n" in text
    assert "smallest repair: 2 changes\n  1. GF202: between left/dense_0 and left/dense_1, " in text
    assert "\n  2. GF201: between left and merge, gradient is stopped" in text
    assert (
        "the changes also bring the gradient back to 3 of them: the others are cut elsewhere too\n"
        in text
    )


def test_what_the_loss_does_not_cover_leads_to_no_loss() -> None:
    model, route = unused()
    compiled = replace(model, objective="compiled: mse on head, weight 1.0; none on spare")
    first = render(compiled, route).partition("\n")[0]
    assert first == "unused.keras: spare/kernel gets no gradient: no way leads from it to the loss"


def test_a_frozen_weight_is_told_both() -> None:
    text = render(*frozen(), width=140)
    assert (
        "is frozen by backbone; unfrozen it would get no gradient, 1 cut on its way to output "
        "head\n" in text
    )
    assert "  1. GF101: frozen by backbone.trainable=False\n" in text
    assert "  2. GF201: " in text


def test_the_end_of_the_way_is_the_output_that_it_reaches() -> None:
    assert "▼  output mixture\n" in render(*passage())


def test_a_cut_on_another_way_needs_no_change() -> None:
    text = render(*side_by_side(), width=140)
    assert "smallest repair: 1 change\n  GF202: " in text
    assert (
        "also cut on another way to the output, by GF201 net/target/StopGradient between router "
        "and merge; one open way is enough\n" in text
    )
    assert "  GF303: in layer gate, a path exists" in render(*dead())


def test_a_model_that_could_not_be_checked_is_the_block_of_a_report() -> None:
    model = several().models[0]
    assert render(model, None, width=80) == render_text(Report(TOOL, (model,)), Layout(width=80))


def test_names_are_neither_markup_nor_escapes() -> None:
    model, route = two_cuts()
    name = "[bold]/:x:/a\x1b[31m"
    variables = (replace(model.variables[0], name=name), *model.variables[1:])
    strange = (replace(route.steps[0], op=name), *route.steps[1:])
    text = render(
        replace(model, path=name, variables=variables), replace(route, variable=name, steps=strange)
    )
    assert text.replace("\n", "").isprintable()
    assert text.startswith("[bold]/:x:/a\\x1b[31m: [bold]/:x:/a\\x1b[31m gets no gradient")
    assert "     ╎  [bold]/:x:/a\\x1b[31m\n" in text


def test_what_a_step_brought_with_the_repair_is_said() -> None:
    model, route = passage()
    assert "  with this change the gradient arrives: norm 0.53\n" in render(model, route)
    model, route = two_cuts()
    dead = cause("GF303", "net/left/Relu_1", "Relu")
    stopped = replace(route, proof=Proof(restored=False, norm=0.0, stopped_by=dead))
    words = "the changes at the cuts alone would not do: the gradient becomes zero, at Relu"
    assert f"  {words} 'net/left/Relu_1'\n" in render(model, stopped, width=120)
    untried = replace(route, unproven="it is cut inside a loop")
    words = "not tried in a step: it is cut inside a loop"
    assert f"  {words}\n" in render(model, untried)


def test_json_holds_the_variable_as_the_report_has_it_and_the_whole_route() -> None:
    model, route = two_cuts()
    answer = json.loads(why.render_json(Answer(TOOL, model, route)))
    assert list(answer) == ["schema", "tool", "model", "variable", "route"]
    assert answer["schema"] == "gradflow-why-1"
    assert answer["model"]["path"] == model.path
    assert answer["variable"]["name"] == "left/dense_0/kernel"
    assert decode(Route, answer["route"]) == route
    assert [change["between"] for change in answer["route"]["changes"]] == [
        ["left/dense_0", "left/dense_1"],
        ["left", "merge"],
    ]
    assert answer["route"]["proof"] is None
    beside = json.loads(why.render_json(Answer(TOOL, *side_by_side())))["route"]["also_cut"]
    assert [(cut["cause"]["op"], cut["between"]) for cut in beside] == [
        (STOP.op, ["router", "merge"])
    ]
    answer = json.loads(why.render_json(Answer(TOOL, *passage())))
    assert answer["route"]["proof"] == {"restored": True, "norm": 0.53, "stopped_by": None}
    failed = json.loads(why.render_json(Answer(TOOL, several().models[0], None)))
    assert (failed["variable"], failed["route"]) == (None, None)
    assert failed["model"]["error"]["code"] == "GF901"
