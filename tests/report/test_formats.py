"""Every format of the registry on the same reports, and what holds for every one: nothing of a
file is obeyed, nothing is random.

After a change that is meant, write the golden files anew and read the difference:
``GRADFLOW_UPDATE_GOLDEN=1 pytest tests/report``.
"""

from __future__ import annotations

import inspect
import os
import re
from dataclasses import replace
from json import loads
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.findings import Report
from gradflow.report import formats, text
from gradflow.report.answers import codes, diff, entries, why
from gradflow.report.formats import ANSWER_FORMATS, FORMATS, begins_as, renderer
from gradflow.report.layout import Layout
from tests.examples import examples
from tests.report.maps import towers
from tests.report.reports import HOSTILE, IN_EVERY_FORMAT, hostile
from tests.report.strategies import reports

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden" / "formats"
ANSWERS = [why.RENDERERS, entries.RENDERERS, diff.OF_MODELS, diff.OF_REPORTS]
ANSWERS += [codes.EXPLANATION, codes.TABLE]


def written(report: Report, format: str, encoding: str = "utf-8") -> str:
    return renderer(format)(report, Layout(width=100, encoding=encoding))


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_the_same_signature(format: str) -> None:
    assert [*inspect.signature(renderer(format)).parameters] == ["report", "layout"]


@pytest.mark.parametrize("page", ["README.md", "docs/report.md"])
def test_every_format_has_a_row_for_people(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")

    assert [format for format in FORMATS if f"| `{format}` |" not in text] == []


@pytest.mark.parametrize("format", FORMATS)
def test_a_map_is_in_the_formats_that_have_one(format: str) -> None:
    """What is drawn for one format does not show in another that is written beside it."""
    report = towers()
    bare = replace(report, models=tuple(replace(model, map=None) for model in report.models))
    asked, unasked = (
        formats.written(report, format, with_map=with_map) for with_map in (True, False)
    )

    has_map = {"html": (True, True), "model-explorer": (True, True), "json": (True, False)}
    shown = tuple(text != renderer(format)(bare, Layout()) for text in (asked, unasked))
    assert shown == has_map.get(format, (False, False))


def test_an_unknown_format_is_an_error_and_no_other_format() -> None:
    with pytest.raises(KeyError):
        renderer("yaml")


@pytest.mark.parametrize("renderers", ANSWERS)
def test_every_answer_has_its_formats(renderers: dict[str, object]) -> None:
    assert tuple(renderers) == ANSWER_FORMATS


def without_assets(page: str) -> str:
    """A page without its styles and scripts, which are the same in every one."""
    page = re.sub(r"<(style|script)>.*?</\1>", r"<\1>...</\1>", page, flags=re.DOTALL)
    return re.sub(r"'sha256-[^']+'", "'sha256-...'", page)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", IN_EVERY_FORMAT)
def test_golden(name: str, format: str) -> None:
    output = written(IN_EVERY_FORMAT[name](), format)
    output = without_assets(output) if format == "html" else output
    golden = GOLDEN / f"{name}.{format}"
    if os.environ.get("GRADFLOW_UPDATE_GOLDEN"):
        golden.write_text(output, encoding="utf-8", newline="\n")
    assert output == golden.read_text(encoding="utf-8")


def test_every_golden_file_has_its_report() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {
        f"{name}.{format}" for name in IN_EVERY_FORMAT for format in FORMATS
    }


def harmless(output: str) -> None:
    """Nothing that a terminal, or the log of a CI system, would obey."""
    assert output.replace("\n", "").isprintable()
    assert "##[" not in output
    output.encode("utf-8")


@settings(max_examples=examples(10))
@given(reports())
def test_any_report_is_harmless(report: Report) -> None:
    for format in FORMATS:  # to draw a report takes longer than to write it in all of them
        output = written(report, format)
        harmless(output)
        commands = [line for line in output.splitlines() if line.lstrip().startswith("::")]
        assert format == "github" or commands == [], format


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_names_are_harmless(format: str) -> None:
    harmless(written(hostile(HOSTILE), format))


def test_json_keeps_the_name_that_a_log_would_obey() -> None:
    output = written(hostile(["##[add-mask]secret"]), "json")
    assert "##[" not in output
    assert loads(output)["models"][0]["path"] == "##[add-mask]secret.keras"


def test_a_line_of_text_that_a_log_would_obey_is_no_wider() -> None:
    output = text.render(hostile(["::error::" + "x" * 60]), Layout(width=60))
    assert "\n   \\::error::x" in output
    assert output.startswith("\\:error::x")
    assert max(map(len, output.splitlines())) <= 60


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_that_holds_less_gets_escapes(format: str, encoding: str) -> None:
    for build in IN_EVERY_FORMAT.values():
        written(build(), format, encoding).encode(encoding)


@pytest.mark.parametrize("format", ["json", "sarif"])
def test_json_is_ascii(format: str) -> None:
    assert all(written(build(), format).isascii() for build in IN_EVERY_FORMAT.values())


@settings(max_examples=examples(8))
@given(report=reports(), width=st.integers(40, 200))
def test_any_report_is_known_by_how_it_begins(report: Report, width: int) -> None:
    """So that the next one may take its place (``-o``)."""
    named = replace(report, tool=replace(report.tool, name="gradflow"))
    for format, registered in FORMATS.items():
        text = renderer(format)(named, Layout(width=width))

        assert not text.strip() or begins_as(text, registered.mark), format
