"""0: fine, 1: something as bad as --fail-on, 2: something could not be checked."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import gradflow
from gradflow.cli.exit_codes import exit_code
from gradflow.cli.inspect import judged_by
from gradflow.findings import Severity
from gradflow.process import models
from tests.cli.command import CUT, FROZEN, HEALTHY, SAMPLES, here, inspect, static

pytestmark = pytest.mark.usefixtures("kept_results")

MISSING = "no/such/model.keras"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([HEALTHY], 0),
        ([CUT], 0),
        ([CUT, "--fail-on", "error"], 1),
        ([CUT, "--fail-on", "warning"], 1),
        ([CUT, "--fail-on", "error", "--exit-zero"], 0),
        ([HEALTHY, "--fail-on", "warning"], 0),
        ([FROZEN, "--fail-on", "error"], 0),
        ([FROZEN, "--fail-on", "warning"], 1),
        ([str(SAMPLES / "finetune.keras"), "--fail-on", "warning"], 0),
        ([HEALTHY, CUT, "--fail-on", "error"], 1),
        ([MISSING], 2),
        ([MISSING, "--exit-zero"], 2),
        ([CUT, MISSING], 2),
        ([CUT, MISSING, "--fail-on", "error"], 2),
        ([MISSING, CUT, "--fail-on", "error", "--exit-zero"], 2),
        ([CUT, "--fail-on", "error", "--output", "nope"], 2),
    ],
)
@pytest.mark.parametrize("format", ["text", "json"])
def test_the_exit_code(arguments: list[str], code: int, format: str) -> None:
    assert static(*arguments, "--format", format).code == code


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [
        (Severity.ERROR, "error", 1),
        (Severity.ERROR, "warning", 1),
        (Severity.WARNING, "error", 0),
        (Severity.WARNING, "warning", 1),
        (Severity.NOTE, "warning", 0),
        (Severity.ERROR, None, 0),
    ],
)
def test_what_is_as_bad_as_fail_on(severity: Severity, fail_on: str | None, code: int) -> None:
    report = gradflow.inspect(CUT, static=True)
    [model] = report.models
    findings = tuple(replace(finding, severity=severity) for finding in model.findings)
    assert findings

    report = replace(report, models=(replace(model, findings=findings),))

    assert exit_code(judged_by(report, fail_on), exit_zero=False) == code
    assert exit_code(judged_by(report, fail_on), exit_zero=True) == 0


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("arguments", "code"), [([CUT], 0), ([CUT, "--fail-on", "error"], 1), ([MISSING, CUT], 2)]
)
def test_the_exit_code_of_a_step(arguments: list[str], code: int) -> None:
    assert inspect(*arguments).code == code


def test_a_failure_does_not_lose_the_other_models() -> None:
    # Each on one line, however long the checkout's path is.
    done = static(MISSING, CUT, COLUMNS="400")

    assert f"{MISSING}: could not be checked (GF901)" in done.stdout
    assert f"{CUT}: 4 of 8 weights get no gradient, 1 cause" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "command",
    ["inspect", "check", "audit", "scan", "init -o no.yaml", "baseline", "why", "diff"],
)
def test_a_signal_while_models_are_looked_for_is_no_verdict(
    command: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 is the word for findings."""
    monkeypatch.setattr(models, "list_models", lambda _: signal.raise_signal(number))
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(number)

    done = here(*command.split(), ".", *["."] * (command in ("why", "diff")))

    assert (done.code, done.stdout) == (128 + number, "")
    assert signal.getsignal(number) is before


def test_inspect_takes_the_codes_that_count() -> None:
    arguments = ("inspect", CUT, "--static", "--fail-on", "error", "--format", "json")
    assert here(*arguments).code == 1
    for option in (("--select", "GF1,GF3"), ("--ignore", "GF2"), ("--ignore", "stop_gradient")):
        done = here(*arguments, *option)
        [model] = json.loads(done.stdout)["models"]
        counted = {item["code"] for item in model["findings"] if item["accepted"] is None}
        assert done.code == 0, done
        assert "GF201" not in counted
        # What was measured is told all the same.
        assert model["summary"]["none"] == 4
    assert "did you mean GF201 to GF209?" in here("inspect", CUT, "--select", "GF20x").stderr
