"""The text report: golden pages at 80 and 140 columns, and what holds for every report.

After a change that is meant, write the golden files anew and read the difference:
``GRADFLOW_UPDATE_GOLDEN=1 pytest tests/report``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from gradflow.findings import (
    Cause,
    Finding,
    Mode,
    ModelReport,
    Output,
    Reach,
    Report,
    Severity,
    Step,
    Verdict,
    Way,
)
from gradflow.report.headline import headline, summary_line
from gradflow.report.layout import Layout
from gradflow.report.people.layers import by_layer, stretches
from gradflow.report.people.lines import cut_in_the_middle
from gradflow.report.text import render, render_model
from tests.examples import examples
from tests.report.reports import (
    CANONICAL,
    TOOL,
    analyzed,
    dense,
    healthy,
    many,
    names,
    routed,
    several,
    two_towers,
    unknown,
    weight,
)
from tests.report.strategies import reports

GOLDEN = Path(__file__).parent / "golden"
MODES = [{}, {"show_all": True}, {"encoding": "ascii"}, {"show_all": True, "encoding": "cp1252"}]


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("name", CANONICAL)
def test_golden(name: str, width: int) -> None:
    text = render(CANONICAL[name](), Layout(width=width))
    golden = GOLDEN / f"{name}.{width}.txt"
    if os.environ.get("GRADFLOW_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert text == golden.read_text(encoding="utf-8")


def test_every_golden_file_has_its_report() -> None:
    assert {path.name for path in GOLDEN.iterdir() if path.is_file()} == {
        f"{name}.{width}.txt" for name in CANONICAL for width in (80, 140)
    }


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CANONICAL)
def test_no_line_is_wider_than_asked(name: str, mode: dict[str, object], width: int) -> None:
    lines = render(CANONICAL[name](), Layout(width=width, **mode)).splitlines()
    assert max(map(cell_len, lines)) <= width


def test_a_model_that_could_not_be_checked_is_a_block_with_its_fix_last() -> None:
    failed = several().models[0]
    assert render(Report(TOOL, (failed,))) == (
        "broken.keras: could not be checked (GF901)\n"
        "  layer 'MyAttention' is not known to Keras\n"
        "  fix: give its module with --import MODULE\n"
    )
    assert render(Report(TOOL, (failed,)), Layout(width=40)) == (
        "broken.keras: could not be checked\n"
        "    (GF901)\n"
        "  layer 'MyAttention' is not known to\n"
        "  Keras\n"
        "  fix: give its module with --import\n"
        "       MODULE\n"
    )


def test_models_that_a_scan_has_passed_are_a_line_each_and_one_rule() -> None:
    clean = replace(healthy().models[0], variables=(), looked_at=("3 members",))
    models = tuple(replace(clean, path=f"m{number}.keras") for number in range(22))
    lines = render(Report(TOOL, models)).splitlines()
    assert lines[:22] == [headline(model) for model in models]
    assert [line[0] for line in lines[22:]] == ["─", "2"]

    failed = several().models[0]
    blocks = render(Report(TOOL, (*models[:2], failed, failed, *models[2:4]))).splitlines()
    rules = [number for number, line in enumerate(blocks) if line.startswith("─")]
    assert rules == [2, 6, 10, 13]


@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports())
def test_any_report_fits_and_is_harmless(report: Report) -> None:
    for mode in MODES:
        text = render(report, Layout(width=80, **mode))
        assert all(cell_len(line) <= 80 for line in text.split("\n"))
        assert text.replace("\n", "").isprintable()
        text.encode(mode.get("encoding", "utf-8"))
    assert summary_line(report).isprintable()


def test_color_adds_styles_and_nothing_else() -> None:
    for build in CANONICAL.values():
        plain, colored = (
            render(build(), Layout(show_all=True)),
            render(build(), Layout(show_all=True, color=True)),
        )
        assert "\x1b" not in plain
        assert "\x1b[" in colored
        assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


def test_names_are_neither_markup_nor_emoji() -> None:
    layer = "layers[encoder]/:x:/[/bold]"
    variables = dense(layer, 2, 2, verdict=Verdict.NONE)
    finding = Finding("GF206", Severity.ERROR, f"{layer}: no path", "[red]", names(variables), None)
    report = Report(TOOL, (analyzed("[link].keras", variables, findings=(finding,)),))
    for color in (False, True):
        text = render(report, Layout(show_all=True, color=color))
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert text.startswith("[link].keras: 2 of 2 weights get no gradient, 1 cause\n")
        assert f"error GF206: {layer}: no path\n" in text
        assert f"    {layer}  kernel, bias  2 weights" in text
        assert "  fix: [red]\n" in text


def test_terminal_escapes_in_names_are_written_out() -> None:
    name = "a\x1b[31m\r\nb\u202e\u200d"
    report = Report(TOOL, (analyzed(name, [weight(f"{name}/kernel", 1)]),))
    text = render(report, Layout(show_all=True))
    assert "a\\x1b[31m\\r\\nb\\u202e\\u200d/kernel" in text
    assert "a\\x1b[31m\\r\\nb\\u202e\\u200d: the only weight receives a gradient" in text


def test_other_encodings_get_escapes_instead_of_an_error() -> None:
    variable = weight("\u9b42/\xe9", 2)
    report = Report(TOOL, (analyzed("\u9b42.keras", [variable]),))
    render(report, Layout(show_all=True, encoding="latin-1")).encode("latin-1")
    assert "\\u9b42/\xe9" in render(report, Layout(show_all=True, encoding="latin-1"))
    assert "\\u9b42/\\xe9" in render(report, Layout(show_all=True, encoding="ascii"))
    assert render(routed(), Layout(encoding="ascii")).isascii()


@pytest.mark.parametrize("sign", ["/", "_"])
def test_long_names_are_cut_in_the_middle_and_whole_where_all_is_shown(sign: str) -> None:
    layer = sign.join(f"part{n}" for n in range(60))
    variables = [weight(f"{layer}/kernel", 2, verdict=Verdict.NONE)]
    message = f"no path from layer '{layer}'"
    finding = Finding("GF206", Severity.ERROR, message, "", names(variables), None)
    reach = Reach(None, (layer,), True, 1, 2, 0, 2, 4, "layer")
    finding = replace(finding, between=(layer, layer), reach=reach)
    model = analyzed("m.keras", variables, findings=(finding,))
    output = Output(f"{layer}_output", (4,), "float32")
    report = Report(TOOL, (replace(model, outputs=(output,)),))
    text = render(report, Layout(width=80))
    whole = render(report, Layout(width=80, show_all=True))

    naming = [line for line in text.splitlines() if "part" in line]
    assert len(naming) >= 5
    assert all("part0" in line and "..." in line and "part59" in line for line in naming)
    assert re.sub(r"\n +", "", whole).count(layer) >= 5
    assert max(map(len, (text + whole).splitlines())) <= 80


def test_a_long_name_of_an_op_is_cut_in_the_middle_of_a_picture() -> None:
    scope = "/".join(f"part{n}" for n in range(40))
    stop = Cause("GF201", "stop_gradient", f"{scope}/Stop", "StopGradient", None, None, None)
    way = (f"{scope}/MatMul", f"{scope}/Stop", "net/Add")
    variables = [weight("w", 2, verdict=Verdict.NONE, causes=(stop,), cuts_to_restore=1, path=way)]
    finding = Finding("GF201", Severity.ERROR, "cut", "", ("w",), stop)
    report = Report(TOOL, (analyzed("m.keras", variables, findings=(finding,)),))
    drawn = render(report)

    (line,) = [line for line in drawn.splitlines() if line.startswith("     ✂")]
    assert line.startswith("     ✂  part0/part1/")
    assert "/.../" in line
    assert line.endswith("/part39/Stop")
    assert len(line) <= 80
    assert f"{scope}/Stop" in re.sub(r"\n +", "", render(report, Layout(show_all=True)))


@given(st.text(st.sampled_from("ab/漢"), max_size=60), st.integers(20, 40))
def test_what_is_cut_in_the_middle_fits(name: str, room: int) -> None:
    short = cut_in_the_middle(name, room)

    assert cell_len(short) <= room
    assert short == name or "..." in short


def test_cut_is_drawn_between_starved_and_fed_ops() -> None:
    drawn = [line for line in render(routed()).splitlines() if re.match(r"     [╎✂│⋮▼]  ", line)]
    assert [line[5] for line in drawn] == ["╎", "╎", "╎", "✂", "╎", "│", "│", "⋮", "│", "│", "▼"]
    assert "moe/route/ArgMax" in drawn[3]
    assert drawn[5].endswith("moe/route/one_hot  is a float again")
    assert drawn[7].endswith("11 more ops")
    assert "more ops" not in render(routed(), Layout(show_all=True))


def test_a_cut_of_another_input_is_not_drawn_on_this_path() -> None:
    index = Cause("GF204", "non_differentiable_input", "net/Gather", "Gather", None, None, None)
    stop = Cause("GF201", "stop_gradient", "net/Stop", "StopGradient", None, None, None)
    path = ("net/Gather", "net/Stop", "net/MatMul")
    table = weight(
        "table", 8, 2, verdict=Verdict.NONE, causes=(stop,), cuts_to_restore=1, path=path
    )
    chosen = weight(
        "chosen",
        2,
        verdict=Verdict.NONE,
        causes=(index,),
        cuts_to_restore=1,
        path=path[:1] + path[2:],
    )
    findings = (Finding("GF201", Severity.ERROR, "cut", "", ("table",), stop),)
    text = render(Report(TOOL, (analyzed("m.keras", [table, chosen], findings=findings),)))
    assert "     ╎  net/Gather\n     ✂  net/Stop" in text


def test_numbered_layers_share_a_row_unless_all_are_asked_for() -> None:
    short, full = render(many()), render(many(), Layout(show_all=True))
    assert "encoder/block_{0..11}/*  60 layers  120 weights, " in short
    assert "... and 5 more layers (--all shows them)\n" in short
    assert "block_{" not in full
    assert "--all" not in full
    missing = [
        v.name
        for v in many().models[0].variables
        if f"  {v.name} " not in f"{full} ".replace("\n", " ")
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("layers", "rows"),
    [
        (["a_0", "a_1", "a_2"], ["a_{0..2}"]),
        (["a_08", "a_09", "a_10", "a_2"], ["a_{2,08..10}"]),
        (["a_0", "a_2", "a_4", "a_6", "a_8", "a_9"], ["a_{0,2,4,6,8..9}"]),
        ([f"a_{2 * number}" for number in range(25)], ["a_{25 of 0..48}"]),
        (["s1/b1", "s1/b2", "s2/b1", "s2/b2"], ["s1/b{1..2}", "s2/b{1..2}"]),
        (["a", "a_1", "a_2"], ["a", "a_{1..2}"]),
        (["x" + "9" * 5000, "x" + "9" * 4999 + "8"], None),
    ],
)
def test_numbers_of_a_family(layers: list[str], rows: list[str] | None) -> None:
    merged = stretches(by_layer(v for layer in layers for v in dense(layer, 2, 2)), 8)
    assert sum(row.layers for row in merged) == len(layers)
    assert sum(row.weights for row in merged) == 2 * len(layers)
    assert rows is None or [row.layer for row in merged] == rows


@pytest.mark.parametrize(
    ("layers", "rows"),
    [
        (["a_0", "b", "a_1", "c"], ["a_0", "b", "a_1", "c"]),
        (
            ["stem", *(f"block{n}a_{part}" for n in range(1, 4) for part in ("conv", "bn", "se"))],
            ["stem", "block1a_*", "block2a_*", "block3a_*"],
        ),
        (
            [f"enc/layer_{n}/{part}" for n in range(12) for part in ("query", "ffn", "norm")],
            ["enc/layer_{0..11}/*"],
        ),
        (
            ["in", *(f"enc/layer_{n}/{p}" for n in range(2) for p in ("q", "k", "v")), "out"],
            ["in", "enc/layer_0/*", "enc/layer_1/*", "out"],
        ),
    ],
)
def test_layers_stand_in_the_order_of_the_model_and_blocks_by_their_first_words(
    layers: list[str], rows: list[str]
) -> None:
    found = stretches(by_layer(v for layer in layers for v in dense(layer, 2, 2)), 4)
    assert [row.layer for row in found] == rows
    assert sum(row.layers for row in found) == len(layers)


def test_of_many_layers_the_first_and_the_last_are_shown() -> None:
    layers = [f"{chr(97 + n)}{chr(98 + n)}" for n in range(20)]
    variables = [v for layer in layers for v in dense(layer, 2, 2, verdict=Verdict.NONE)]
    finding = Finding("GF206", Severity.ERROR, "no path", "", names(variables), None)
    text = render(Report(TOOL, (analyzed("m.keras", variables, findings=(finding,)),)))
    shown = [line.split()[0] for line in text.splitlines() if line.startswith("    ")]
    assert shown == ["ab", "bc", "cd", "de", "ef", "fg", "...", "st", "tu"]


def test_a_path_is_told_in_layers_and_in_ops_where_they_are_asked_for() -> None:
    report = two_towers()
    (model,) = report.models
    stop = next(finding for finding in model.findings if finding.code == "GF201")
    steps = [Step("left/dense_1", "MatMul", "left/dense_1", False, False, None)]
    steps += [Step("target", "StopGradient", "target", False, False, stop.cause)]
    steps += [Step(f"mix_{n}", "Mul", f"mix_{n}", True, False, None) for n in range(9)]
    way = Way("left/dense_1/kernel", (*steps, Step("head", "MatMul", "head", True, False, None)))
    told = replace(report, models=(replace(model, findings=(replace(stop, way=way),)),))
    assert (
        "    left/dense_1/kernel\n"
        "     ╎  left/dense_1\n"
        "     ✂  target  StopGradient, net.py:41\n"
        "     │  mix_0\n"
        "     ⋮  7 more layers\n"
        "     │  mix_8\n"
        "     │  head\n"
        "     ▼  output head\n"
    ) in render(told)
    assert "     ╎  net/left/dense_1/MatMul\n" in render(told, Layout(show_ops=True))


def test_layers_with_other_weights_stay_apart() -> None:
    merged = stretches(by_layer([*dense("a_0", 2, 2), weight("a_1/kernel", 2)]), 8)
    assert [(row.layer, row.leaves) for row in merged] == [
        ("a_0", ("kernel", "bias")),
        ("a_1", ("kernel",)),
    ]


def test_table_tells_almost_all_from_all() -> None:
    text = render(many(), Layout(width=140, show_all=True))
    (row,) = (line for line in text.splitlines() if line.startswith("  embedding/embeddings "))
    assert row.split() == [
        "embedding/embeddings",
        "30522x64",
        "flows",
        "yes",
        "3.5",
        "99.9%",
        "46",
        "of",
        "30,522",
    ]
    (dead,) = (line for line in text.splitlines() if line.startswith("  gate/gate_0/kernel"))
    assert dead.split()[-1] == "100%"


def test_need_for_several_cuts_is_said() -> None:
    text = render(two_towers())
    assert "2 of them need 2 cuts removed before a gradient arrives: left/dense_0\n" in text
    assert (
        "1 of them is also cut on another way to the output, by GF202 net/left/quantize\n" in text
    )


def test_frozen_weights_stand_under_the_layer_that_froze_them() -> None:
    text = render(two_towers())
    assert "    backbone (trainable=False): 8 weights, 1,088 parameters\n" in text
    assert "    not among the file's trainable variables: 1 weight, 8 parameters\n" in text
    behind = dense("backbone", 2, 2, trainable=False, frozen_by="backbone", verdict=Verdict.NONE)
    text = render(Report(TOOL, (analyzed("m.keras", behind),)))
    assert "backbone (trainable=False): 2 weights, 6 parameters; unfreezing would" in text


def model(*variables: object, **changes: object) -> ModelReport:
    return analyzed("m.keras", variables, **changes)


def test_layers_that_are_frozen_one_by_one_are_told_as_blocks() -> None:
    layers = [f"block{number}_{part}" for number in range(12) for part in ("conv", "norm")]
    variables = [weight(f"{layer}/kernel", 2, trainable=False, frozen_by=layer) for layer in layers]
    few, many = model(*variables[:8]), model(*variables)

    assert "    block0_conv (trainable=False): 1 weight, 2 parameters\n" in render_model(few)
    text = render_model(many)
    assert "    24 layers (trainable=False): 24 weights, 48 parameters\n" in text
    assert "      block0_*   2 layers  2 weights, 4 parameters\n" in text
    assert "more layers (--all shows them)" in text
    every = render_model(many, Layout(show_all=True))
    assert all(f"    {layer} (trainable=False): 1 weight" in every for layer in layers)


def test_two_findings_about_one_op_are_one_cause() -> None:
    cause = Cause("GF201", "stop_gradient", "stop", "StopGradient", None, None, None)
    starved = [
        weight(name, 2, verdict=Verdict.NONE, causes=(cause,), cuts_to_restore=1)
        for name in ("a/kernel", "a/bias")
    ]
    findings = [
        Finding("GF201", Severity.ERROR, message, "", (item.name,), cause)
        for message, item in zip(("stopped", "stopped; moved by"), starved, strict=True)
    ]
    assert headline(model(*starved, findings=tuple(findings))).endswith(
        "2 of 2 weights get no gradient, 1 cause"
    )


A, B, NONE = weight("a", 1), weight("b", 1), weight("none", 1, verdict=Verdict.NONE)
ZERO, NAN = weight("zero", 1, verdict=Verdict.ZERO), weight("nan", 1, verdict=Verdict.NONFINITE)
UNSURE, FROZEN = weight("unsure", 1, verdict=Verdict.UNKNOWN), weight("frozen", 1, trainable=False)
STUCK = weight("stuck", 1, trainable=False, verdict=Verdict.NONE)
BELOW = Finding("GF201", Severity.ERROR, "behind a cut, and frozen", "", ("stuck",), None)
WARNING = Finding("GF102", Severity.WARNING, "freeze flag lost", "", ("a",), None)
LOOSE = weight("loose", 1, trainable=False)
UNTRACKED = Finding("GF103", Severity.ERROR, "untracked", "", ("loose",), None)
CAUSE = Finding("GF206", Severity.ERROR, "unused", "", ("none",), None)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (model(), "no weights, nothing to train"),
        (model(A), "the only weight receives a gradient"),
        (model(A, B), "all 2 weights receive a gradient"),
        (model(A, B, FROZEN), "all 2 trainable weights receive a gradient, 1 frozen"),
        (model(FROZEN), "the only weight is frozen"),
        (model(A, NONE), "1 of 2 weights gets no gradient"),
        (model(A, NONE, findings=(CAUSE,)), "1 of 2 weights gets no gradient, 1 cause"),
        (
            model(A, NONE, STUCK, findings=(BELOW,)),
            "1 of 2 trainable weights gets no gradient, 1 frozen, 1 error",
        ),
        (model(A, ZERO, FROZEN), "1 of 2 trainable weights gets only zeros, 1 frozen"),
        (model(A, NONE, ZERO, NAN), "1 of 4 weights gets no gradient, 1 only zeros, 1 NaN or Inf"),
        (model(A, B, findings=(WARNING,)), "all 2 weights receive a gradient, 1 warning"),
        (
            model(A, LOOSE, findings=(UNTRACKED,)),
            "the only trainable weight receives a gradient, 1 untracked",
        ),
        (
            model(FROZEN, LOOSE, findings=(UNTRACKED,)),
            "no weight is trained, 1 frozen, 1 untracked",
        ),
        (model(A, UNSURE), "1 of 2 weights gets an unknown verdict"),
        (
            model(UNSURE, FROZEN, mode=Mode.STATIC),
            "1 trainable weight, 1 frozen, verdicts unknown: the file alone cannot tell; "
            "measure it with TensorFlow",
        ),
    ],
)
def test_headline(report: ModelReport, words: str) -> None:
    assert headline(report) == f"m.keras: {words}"
    assert summary_line(Report(TOOL, (report,))) == headline(report)


def test_summary_counts_the_models() -> None:
    assert summary_line(several()) == "3 models: 1 could not be checked, 1 with findings, 1 fine"
    models = (*unknown().models, *healthy().models)
    assert summary_line(Report(TOOL, models)) == "2 models: 1 unknown, 1 fine"
    assert summary_line(replace(several(), models=())) == "no models"
    assert render(several()).endswith(
        "\n3 models: 1 could not be checked, 1 with findings, 1 fine\n"
    )


def test_plain_text_is_cheap_to_import() -> None:
    # The static reading has 0.3 s for the whole process.
    program = (
        "import sys\n"
        "from gradflow.findings import Report, Tool\n"
        "from gradflow.report.text import render\n"
        "render(Report(Tool('gradflow', '0', None, None), ()))\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = {
        "tensorflow",
        "keras",
        "numpy",
        "h5py",
        "rich.console",
        "rich.table",
        "rich.markdown",
        "pygments",
    }
    assert heavy.isdisjoint(done.stdout.split())
