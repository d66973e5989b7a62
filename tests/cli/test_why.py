"""``gradflow why``: one variable, its picture, its repair; one line and exit code 2 where there is
no such variable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import CUT, FROZEN, SAMPLES, Done, here
from tests.cli.test_help import HEAVY, loaded
from tests.models.own_activation import with_own_activation

BEHIND = "document_embedding/kernel"


def why(*arguments: str, **environment: str) -> Done:
    return here("why", *arguments, **environment)


def static(*arguments: str, **environment: str) -> Done:
    return why("--static", *arguments, **environment)


def test_a_cut_weight_is_drawn_with_its_repair() -> None:
    done = static(CUT, BEHIND)

    assert (done.code, done.stderr) == (0, "")
    assert "     ✂  two_towers_1/StopGradient  GF201 stop_gradient\n" in done.stdout
    assert (
        "smallest repair: 1 change\n  GF201: between document_embedding and score, " in done.stdout
    )
    assert "  the change also brings the gradient back to all of them\n" in done.stdout


def test_the_end_of_a_name_will_do() -> None:
    # On one line, however long the checkout's path is.
    done = static(FROZEN, "moving_mean", COLUMNS="400")

    assert done.code == 0
    assert ": norm/moving_mean is state, not trained by design\n" in done.stdout


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("kernel", "4 names end with it; give more of the name: document_hidden/kernel, "),
        ("document_embeding/kernel", "did you mean document_embedding/kernel"),
        (
            "document_embedding",
            "it contains document_embedding/kernel and document_embedding/bias",
        ),
    ],
)
@pytest.mark.parametrize("model", ["two_towers_saved_model", "two_towers.keras"])
def test_a_name_that_is_none_or_several_is_one_line(model: str, variable: str, words: str) -> None:
    line = static(str(SAMPLES / model), variable).failed_in_one_line()

    assert f"variable {variable!r}: " in line
    assert words in line


def test_a_model_that_cannot_be_read_is_one_line() -> None:
    assert (
        "could not be checked (GF901)" in why("no/such/model.keras", "kernel").failed_in_one_line()
    )


def test_another_output_is_another_answer() -> None:
    assert "no such output" in static(CUT, BEHIND, "--output", "nope").failed_in_one_line()
    assert static(CUT, BEHIND, "--output", "output_0").stdout == static(CUT, BEHIND).stdout


def test_a_keras_file_with_code_of_its_own_says_what_is_frozen_and_what_to_do(
    tmp_path: Path,
) -> None:
    own = with_own_activation(SAMPLES / "finetune.keras", "head", tmp_path / "own.keras")
    done = static(str(own), "adapter/kernel", COLUMNS="400")

    assert done.code == 0
    assert "adapter/kernel is frozen by adapter and has an unknown verdict" in done.stdout
    assert "head/activation" in done.stdout


def test_the_way_of_a_weight_of_a_keras_file_leads_through_its_layers() -> None:
    done = static(str(SAMPLES / "two_towers.keras"), "document_embedding/kernel", COLUMNS="140")

    assert done.code == 0
    assert "stop_gradient/StopGradient" in done.stdout and "score" in done.stdout


def test_json_goes_to_stdout_and_the_answer_in_one_line_to_stderr() -> None:
    done = static(CUT, BEHIND, "--format", "json")

    answer = json.loads(done.stdout)
    assert answer["variable"]["name"] == answer["route"]["variable"] == BEHIND
    assert [step["cause"]["code"] for step in answer["route"]["steps"] if step["cause"]] == [
        "GF201"
    ]
    assert (
        done.stderr
        == f"gradflow: {CUT}: {BEHIND} gets no gradient, 1 cut on its way to output output_0\n"
    )
    assert static(CUT, BEHIND, "--format", "json", "-q").stderr == ""
    failed = static(CUT, "nope", "--format", "json", "-q")
    assert failed.code == 2
    assert json.loads(failed.stdout)["model"]["error"]["code"] == "GF901"
    assert "variable 'nope'" in failed.stderr


def test_a_file_holds_what_stdout_would(tmp_path: Path) -> None:
    out = tmp_path / "why.txt"

    done = static(CUT, BEHIND, "-o", str(out))

    assert (done.code, done.stdout) == (0, "")
    assert out.read_text(encoding="utf-8") == static(CUT, BEHIND).stdout
    missing = static(CUT, BEHIND, "-o", str(tmp_path / "no" / "why.txt"))
    assert "its folder does not exist" in missing.failed_in_one_line()


def test_static_never_imports_tensorflow() -> None:
    assert loaded("why", "--static", "-q", CUT, BEHIND).isdisjoint(HEAVY.split())


@pytest.mark.parametrize(
    "arguments", [["why"], ["why", CUT], ["why", CUT, BEHIND, "more"], ["why", CUT, "--fail-on"]]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    done = here(*arguments)

    assert done.code == 2
    assert "Usage: gradflow why" in done.stderr


@pytest.mark.tensorflow
def test_a_step_gives_the_same_picture_and_a_flowing_weight_its_path() -> None:
    cut = why("-v", str(SAMPLES / "two_towers.keras"), BEHIND)
    picture, still = (
        done.stdout.partition("\n\n")[2].replace("output score", "output output_0")
        for done in (cut, static("-v", CUT, BEHIND))
    )
    picture, proof, _ = picture.partition("  with this change the gradient arrives: norm ")
    assert proof
    assert picture.replace(", layer stop_gradient", "") == still
    layers = why(str(SAMPLES / "two_towers.keras"), BEHIND).stdout
    assert "     ✂  stop_gradient  GF201 stop_gradient, StopGradient\n     │  score\n" in layers
    flows = why(str(SAMPLES / "healthy.keras"), "head/kernel")
    assert (flows.code, flows.stderr) == (0, "")
    assert ": head/kernel gets a gradient\n" in flows.stdout
    assert "     │  head\n" in flows.stdout
    line = why(str(SAMPLES / "healthy.keras"), "head/kernl").failed_in_one_line()
    assert "did you mean head/kernel?" in line
