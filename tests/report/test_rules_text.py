"""The codes for people: a golden page for each, the table at 80 and 140 columns, and the JSON."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from gradflow.catalogue import CATALOGUE, Family
from gradflow.report.answers.codes import render_explained, render_json, render_table
from gradflow.report.layout import Layout

GOLDEN = Path(__file__).parent / "golden" / "rules"
ALL = list(CATALOGUE.values())
PAGES = {
    f"{code}.80.txt": render_explained(item, Layout(width=80)) for code, item in CATALOGUE.items()
}
PAGES |= {f"table.{width}.txt": render_table(ALL, Layout(width=width)) for width in (80, 140)}


@pytest.mark.parametrize("name", PAGES)
def test_golden(name: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("GRADFLOW_UPDATE_GOLDEN"):
        golden.write_text(PAGES[name], encoding="utf-8", newline="\n")
    assert PAGES[name] == golden.read_text(encoding="utf-8")


def test_every_golden_file_has_its_page() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(PAGES)


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_page_holds_every_word_of_the_entry(code: str) -> None:
    item = CATALOGUE[code]
    for width in (80, 140):
        text = render_explained(item, Layout(width=width))
        assert max(map(len, text.splitlines())) <= width
        plain = re.sub(r"\s+", " ", text)
        for words in (item.code, item.kind, item.title, item.why, item.fix, item.right_when):
            assert words in plain
        assert all(f"    {line}\n" in text for line in item.example.splitlines() if line)
    colored = render_explained(item, Layout(color=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render_explained(item)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_table_has_a_row_for_each_code_and_fits(width: int) -> None:
    lines = render_table(ALL, Layout(width=width)).splitlines()
    assert max(map(len, lines)) <= width
    rows = {line.split()[0]: line.split()[1] for line in lines[1:] if line.startswith("GF")}
    assert rows == {code: item.kind for code, item in CATALOGUE.items()}


def test_json_holds_every_field_of_every_code() -> None:
    found = json.loads(render_json(ALL))
    assert found["schema"] == "gradflow-rules-1"
    assert [rule["code"] for rule in found["rules"]] == list(CATALOGUE)
    for rule in found["rules"]:
        item = CATALOGUE[rule["code"]]
        words = ("code", "kind", "title", "why", "example", "fix", "right_when")
        assert {name: rule[name] for name in words} == {name: getattr(item, name) for name in words}
        is_finding = item.family is not Family.FAILURES
        assert rule["severity"] == (item.severity.value if is_finding else None)
        assert set(rule) == {*words, "severity"}
