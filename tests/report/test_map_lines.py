"""The map as text: a line for each layer, the cuts below what they hold back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from gradflow.report.layout import Layout
from gradflow.report.people.map_lines import map_text
from tests.report.maps import deep, looped, towers, vanishing


def test_each_layer_has_a_line_and_each_cut_stands_below_what_it_holds_back() -> None:
    [model] = towers().models
    assert model.map is not None
    lines = map_text(model.map, Layout(width=80)).splitlines()
    layers = [line for line in lines if "✂" not in line]
    assert [line.split("  ")[0] for line in layers if not line.startswith(" ")] == [
        node.name for node in model.map.nodes if node.parent is None
    ]
    assert len(layers) == len(model.map.nodes)
    left = [number for number, line in enumerate(layers) if "left/" in line]
    assert layers[left[0] - 1].startswith("left  ") and left == list(range(left[0], left[0] + 3))
    for op, behind, before in (
        ("net/left/quantize", "left/quantize", "left/dense_1"),
        ("net/target/StopGradient", "left/dense_1", "concat"),
    ):
        [place] = [number for number, line in enumerate(lines) if f"✂ {op} before " in line]
        assert lines[place].endswith(f"before {before}")
        assert lines[place - 1].lstrip().startswith(behind)


def test_states_are_told_in_words() -> None:
    [model] = towers().models
    assert model.map is not None
    text = map_text(model.map)
    assert "\nx  input\n" in text
    assert "frozen, " in text and "no gradient, " in text and "gradient, " in text
    assert "concat  concat\n" in text  # an op that stands alone, with its type


@pytest.mark.parametrize("report", [towers(), looped(), vanishing(), deep()])
@pytest.mark.parametrize("width", [40, 80, 140])
def test_lines_fit_in_every_encoding(report: object, width: int) -> None:
    [model] = report.models  # type: ignore[attr-defined]
    for encoding in ("utf-8", "ascii"):
        text = map_text(model.map, Layout(width=width, encoding=encoding))
        assert max(map(cell_len, text.splitlines())) <= width
        text.encode(encoding)


def test_names_of_a_file_are_shown_and_not_obeyed() -> None:
    [model] = looped().models
    assert model.map is not None
    nodes = tuple(replace(node, name=f"\x1b[31m{node.name}\n") for node in model.map.nodes)
    text = map_text(replace(model.map, nodes=nodes))
    assert "\x1b" not in text
    assert len(text.splitlines()) == len(nodes)
