"""``gradflow explain`` and ``gradflow rules``: at once, without TensorFlow, and one line for an
unknown code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradflow.catalogue import CATALOGUE
from tests.cli.command import SAMPLES, here
from tests.cli.test_help import HEAVY, loaded


@pytest.mark.parametrize("word", ["GF202", "gf202", "non_differentiable"])
def test_a_code_is_explained(word: str) -> None:
    done = here("explain", word)

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "GF202 non_differentiable: gradient is cut by an op without a gradient\n"
    )
    assert (
        "\nexample (with keras, tf and np imported):\n    inputs = keras.Input([4])\n"
        in done.stdout
    )


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("GF22", "no code 'GF22': did you mean GF202 "),
        ("stop_gradent", "did you mean GF201 "),
        ("x", "gradflow rules"),
    ],
)
def test_an_unknown_code_is_one_line(word: str, words: str) -> None:
    assert words in here("explain", word).failed_in_one_line()


def test_rules_lists_every_code() -> None:
    done = here("rules")

    assert (done.code, done.stderr) == (0, "")
    assert [line[:5] for line in done.stdout.splitlines() if line.startswith("GF")] == list(
        CATALOGUE
    )


def test_json_has_one_shape_for_one_and_for_all() -> None:
    one = json.loads(here("explain", "dead", "--format", "json").stdout)
    everything = json.loads(here("rules", "--format", "json").stdout)

    assert {**everything, "rules": one["rules"]} == one
    assert [rule for rule in everything["rules"] if rule["code"] == "GF303"] == one["rules"]


@pytest.mark.parametrize(
    "arguments", [["explain", "GF301"], ["rules"], ["rules", "--format", "json"]]
)
def test_a_file_holds_what_stdout_would(arguments: list[str], tmp_path: Path) -> None:
    out = tmp_path / "codes"

    assert here(*arguments, "-o", str(out)).stdout == ""
    assert out.read_text(encoding="utf-8") == here(*arguments).stdout
    assert (
        "its folder does not exist"
        in here(*arguments, "-o", str(tmp_path / "no" / "codes")).failed_in_one_line()
    )


def test_colors_are_those_that_are_asked_for() -> None:
    assert "\x1b[" in here("rules", FORCE_COLOR="1").stdout
    assert "\x1b[" not in here("rules", "--no-color", FORCE_COLOR="1").stdout
    assert "\x1b[" not in here("explain", "GF201", NO_COLOR="1", FORCE_COLOR="1").stdout
    assert max(map(len, here("rules", COLUMNS="80").stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments", [["explain", "GF201"], ["rules"], ["explain", "--help"], ["why", "--help"]]
)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    assert loaded(*arguments).isdisjoint([*HEAVY.split(), "numpy", "h5py", "google"])


@pytest.mark.parametrize("word", ["GF20x", "gf20X", "GF20", "GF20*"])
def test_a_code_that_is_left_open_is_told_its_range(word: str) -> None:
    sample = str(SAMPLES / "argmax.keras")
    for arguments in (
        ["explain", word],
        ["check", "--static", sample, "--select", word],
        ["check", "--static", sample, "--ignore", word],
    ):
        assert "did you mean GF201 to GF209?" in here(*arguments).failed_in_one_line()


@pytest.mark.parametrize(
    "arguments", [["explain"], ["explain", "GF201", "GF202"], ["rules", "GF201"]]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    done = here(*arguments)

    assert done.code == 2
    assert "Usage: gradflow" in done.stderr
