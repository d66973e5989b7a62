"""What makes text from a file safe to show, and that nothing else does it on its own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gradflow
from gradflow.cli.output import CommandError
from gradflow.policy import ChangeKind, WeightChange
from gradflow.report.answers.diff import OF_MODELS, ModelDiff
from gradflow.report.layout import Layout
from gradflow.text import as_json, encodable, quoted, shown
from tests.report.reports import HOSTILE

ROOT = Path(gradflow.__file__).parent
HOME = "text.py"
SIGNS = re.compile(r"isprintable|(?<!raw_)unicode_escape|backslashreplace|##\[")
"""raw_unicode_escape shows nothing: old Keras files hold byte code in it."""


@given(st.text())
@example("##[add-mask]x")
@example("###[[\x1b[2J\r\n\u202e\ud800")
def test_what_is_shown_is_one_harmless_line(text: str) -> None:
    line = shown(text)

    assert line.isprintable()
    assert "##[" not in line
    assert shown(line) == line


@given(st.text())
@example("##[add-mask]x")
def test_what_is_quoted_is_one_harmless_line(text: str) -> None:
    line = quoted(text)

    assert shown(line) == line
    assert line[0] == line[-1]


def test_what_is_quoted_holds_each_escape_once() -> None:
    assert quoted("a\x1b[2J") == r"'a\x1b[2J'"
    assert quoted("a\\b") == r"'a\\b'"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_plain_name_stays_as_it_is(text: str) -> None:
    assert shown("encoder/Größe:0") == "encoder/Größe:0"
    assert (shown(text) == text) == (text.isprintable() and "##[" not in text)


@given(st.text())
@example("##[add-mask]x")
def test_json_loses_nothing(text: str) -> None:
    written = as_json([text])

    assert written.isascii()
    assert "##[" not in written
    assert json.loads(written) == [text]


class Color(str, Enum):
    GREEN = "grün"


@dataclass(frozen=True, slots=True)
class Named:
    name: str
    names: tuple[str, ...]
    color: Color
    size: int | None


def test_every_text_of_a_result_fits_the_encoding() -> None:
    value = Named("é", ("a", "漢"), Color.GREEN, 4)

    assert encodable(value, "utf-8") is value
    assert encodable(value, "latin-1") == Named("é", ("a", "\\u6f22"), Color.GREEN, 4)
    assert encodable(value, "ascii") == Named("\\xe9", ("a", "\\u6f22"), Color.GREEN, 4)


def test_no_other_module_makes_text_safe_on_its_own() -> None:
    """How to show text that comes from a file: CONTRIBUTING.md."""
    alone = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if SIGNS.search(path.read_text(encoding="utf-8"))
    ]

    assert alone == [HOME]


def test_a_diff_fits_a_stream_that_holds_less() -> None:
    change = WeightChange(ChangeKind.LOST, "größe/kernel", "")
    diff = ModelDiff("a\x1b[2J", "b", (change,), ())

    text = OF_MODELS["text"](diff, Layout(encoding="ascii"))
    assert text.isascii()
    assert "a\\x1b[2J -> b" in text
    assert "gr\\xf6\\xdfe/kernel" in text
    assert json.loads(OF_MODELS["json"](diff, Layout()))["changes"][0]["name"] == "größe/kernel"


def test_an_error_of_the_command_shows_nothing_raw() -> None:
    message = CommandError("gradflow.yaml:\n##[error]a\x1b[2J: no such key").format_message()

    assert message == "gradflow.yaml:\n#\\x23[error]a\\x1b[2J: no such key"
