"""Every format on the same six reports, and what holds for every one: nothing of a file is obeyed,
nothing is random.

After a change that is meant, write the golden files anew and read the difference:
``GRADFLOW_UPDATE_GOLDEN=1 pytest tests/report``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from json import loads
from pathlib import Path

import pytest
from hypothesis import given, settings

from gradflow.findings import Report
from gradflow.report import github, json, junit, markdown, sarif, text
from tests.report.reports import HOSTILE, SIX, hostile
from tests.report.strategies import reports

GOLDEN = Path(__file__).parent / "golden" / "formats"
FORMATS: dict[str, Callable[[Report], str]] = {
    "txt": lambda report: text.render(report, width=100),
    "json": json.render,
    "md": markdown.render,
    "sarif": sarif.render,
    "xml": junit.render,
    "github": github.render,
}
WITH_ENCODING = [text.render, markdown.render, junit.render, github.render]


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("name", SIX)
def test_golden(name: str, extension: str) -> None:
    written = FORMATS[extension](SIX[name]())
    golden = GOLDEN / f"{name}.{extension}"
    if os.environ.get("GRADFLOW_UPDATE_GOLDEN"):
        golden.write_text(written, encoding="utf-8", newline="\n")
    assert written == golden.read_text(encoding="utf-8")


def test_every_golden_file_has_its_report() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {
        f"{name}.{extension}" for name in SIX for extension in FORMATS
    }


def harmless(written: str) -> None:
    """Nothing that a terminal, or the log of a CI system, would obey."""
    assert written.replace("\n", "").isprintable()
    assert "##[" not in written
    written.encode("utf-8")


@pytest.mark.parametrize("extension", FORMATS)
@settings(max_examples=15)
@given(reports())
def test_any_report_is_harmless(extension: str, report: Report) -> None:
    written = FORMATS[extension](report)
    harmless(written)
    commands = [line for line in written.splitlines() if line.lstrip().startswith("::")]
    assert extension == "github" or commands == []


@pytest.mark.parametrize("extension", FORMATS)
def test_hostile_names_are_harmless(extension: str) -> None:
    harmless(FORMATS[extension](hostile(HOSTILE)))


def test_json_keeps_the_name_that_a_log_would_obey() -> None:
    written = FORMATS["json"](hostile(["##[add-mask]secret"]))
    assert "##[" not in written
    assert loads(written)["models"][0]["path"] == "##[add-mask]secret.keras"


def test_a_line_of_text_that_a_log_would_obey_is_no_wider() -> None:
    written = text.render(hostile(["::error::" + "x" * 60]), width=60)
    assert "\n   \\::error::x" in written
    assert "\n\\:error::x" in written
    assert (
        max(len(line) for line in written.splitlines() if "could not be checked" not in line) <= 60
    )


@pytest.mark.parametrize("render", WITH_ENCODING, ids=lambda render: render.__module__)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_that_holds_less_gets_escapes(render: Callable[..., str], encoding: str) -> None:
    for build in SIX.values():
        render(build(), encoding=encoding).encode(encoding)


@pytest.mark.parametrize("extension", ["json", "sarif"])
def test_json_is_ascii(extension: str) -> None:
    assert all(FORMATS[extension](build()).isascii() for build in SIX.values())
