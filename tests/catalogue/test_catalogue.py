"""The catalogue holds every code, each with words to explain it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gradflow.catalogue import (
    BY_EDGE,
    BY_RULE,
    CATALOGUE,
    CodeEntry,
    Family,
    _unique,
    entry,
    look_up,
)
from gradflow.errors import UsageError
from gradflow.findings import Severity
from gradflow.flow.graph import Edge
from gradflow.flow.op_rules import Rule

ROOT = Path(__file__).parents[2]


def test_codes_are_in_order_and_belong_to_a_family() -> None:
    assert list(CATALOGUE) == sorted(CATALOGUE)
    assert [item.code for item in CATALOGUE.values()] == list(CATALOGUE)
    assert all(re.fullmatch(r"GF\d{3}", code) for code in CATALOGUE)
    assert {item.family for item in CATALOGUE.values()} == set(Family)


def test_a_code_without_a_severity_is_an_error_of_the_program() -> None:
    with pytest.raises(TypeError, match="'severity'"):
        CodeEntry(code="GF299", kind="k", title="t", why="w", fix="f", right_when="r", example="")  # type: ignore[call-arg]
    assert all(isinstance(item.severity, Severity) for item in CATALOGUE.values())


def test_every_rule_and_every_measured_edge_leads_to_a_code() -> None:
    measured = {Edge.DEAD, Edge.UNTAKEN, Edge.NONFINITE, Edge.OVERWRITTEN}

    assert set(BY_RULE) == set(Rule)
    assert {edge for item in CATALOGUE.values() for edge in item.measured} == measured
    assert {Edge.ZERO, Edge.DISCRETE} | measured == set(BY_EDGE)


def test_two_entries_cannot_claim_one_rule() -> None:
    stop = CATALOGUE["GF201"]

    with pytest.raises(ValueError, match="GF201 and GF202 both claim"):
        _unique(
            (rule, item)
            for item in (stop, replace(CATALOGUE["GF202"], rules=stop.rules))
            for rule in item.rules
        )


@pytest.mark.parametrize("item", CATALOGUE.values(), ids=lambda item: item.code)
def test_what_explains_a_verdict_has_a_message(item: CodeEntry) -> None:
    assert item.message or not item.explains_verdict


@pytest.mark.parametrize("item", CATALOGUE.values(), ids=lambda item: item.code)
def test_entry_has_words(item: CodeEntry) -> None:
    assert 1 <= len(re.findall(r"[.](?: |$)", item.why)) <= 3
    assert item.why.endswith(".")
    for words in (item.title, item.fix, item.right_when):
        assert words
        assert not words.endswith(".")
    for words in (item.title, item.why, item.fix, item.right_when):
        assert "  " not in words
        assert "\n" not in words


@pytest.mark.parametrize(
    "item", [item for item in CATALOGUE.values() if item.example], ids=lambda item: item.code
)
def test_python_examples_compile(item: CodeEntry) -> None:
    if not item.example.startswith("expect:"):
        compile(item.example, item.code, "exec")


def test_entry_finds_a_code_in_either_case() -> None:
    assert entry("gf201") is CATALOGUE["GF201"]
    with pytest.raises(KeyError):
        entry("GF999")


def test_only_what_no_example_can_show_has_none() -> None:
    assert [item.code for item in CATALOGUE.values() if not item.example] == [
        "GF209",
        "GF404",
        "GF901",
        "GF903",
    ]


@pytest.mark.parametrize("item", CATALOGUE.values(), ids=lambda item: item.code)
def test_examples_fit_a_narrow_terminal(item: CodeEntry) -> None:
    assert all(len(line) <= 76 for line in item.example.splitlines())
    assert f"{item}".isascii()


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("GF202", "GF202"),
        ("gf202", "GF202"),
        ("stop_gradient", "GF201"),
        ("StopGradient", "GF201"),
        ("non-differentiable", "GF202"),
    ],
)
def test_a_code_or_its_kind_is_found(word: str, code: str) -> None:
    assert look_up(word).code == code


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("GF2022", "did you mean GF202 non_differentiable? gradflow rules lists them all"),
        ("stopgradent", "did you mean GF201 stop_gradient? gradflow rules lists them all"),
        (
            "unexpected_freeze",
            "did you mean GF401 unexpected_frozen? gradflow rules lists them all",
        ),
        ("W605", "gradflow rules lists them all"),
        ("", "gradflow rules lists them all"),
    ],
)
def test_another_word_is_told_the_nearest_one(word: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        look_up(word)
    assert (raised.value.message, raised.value.hint) == (f"no code {word!r}", hint)
