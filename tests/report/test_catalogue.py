"""The catalogue holds every code, each with words to explain it."""

from __future__ import annotations

import re

import pytest

from gradflow.catalogue import CATALOGUE, RESERVED, CodeEntry, entry, look_up
from gradflow.errors import UsageError

KINDS = {
    "GF101": "frozen",
    "GF102": "freeze_not_recorded",
    "GF103": "untracked",
    "GF201": "stop_gradient",
    "GF202": "non_differentiable",
    "GF203": "no_gradient_registered",
    "GF204": "non_differentiable_input",
    "GF205": "custom_gradient",
    "GF206": "unused",
    "GF207": "gradient_disabled",
    "GF208": "opaque",
    "GF209": "unexplained",
    "GF210": "custom_gradient_lost",
    "GF301": "zero_gradient_op",
    "GF302": "control_flow_zero",
    "GF303": "dead",
    "GF304": "nonfinite",
    "GF305": "vanishing",
    "GF306": "exploding",
    "GF401": "unexpected_frozen",
    "GF402": "unexpected_trainable",
    "GF403": "unmatched",
    "GF404": "changed",
    "GF901": "unreadable",
    "GF902": "unsafe",
    "GF903": "crashed",
}


def test_codes_and_kinds_are_the_published_ones_in_order() -> None:
    assert {code: item.kind for code, item in CATALOGUE.items()} == KINDS
    assert list(CATALOGUE) == list(KINDS)
    assert all(item.code == code for code, item in CATALOGUE.items())


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
    assert set(CATALOGUE) >= RESERVED


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
        ("E501", "gradflow rules lists them all"),
        ("", "gradflow rules lists them all"),
    ],
)
def test_another_word_is_told_the_nearest_one(word: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        look_up(word)
    assert (raised.value.message, raised.value.hint) == (f"no code {word!r}", hint)
