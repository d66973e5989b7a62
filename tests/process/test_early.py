"""The process that is started before the command line is there is asked, or ended unasked."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gradflow.process import early
from gradflow.process.early import claimed, started_early
from gradflow.process.isolated import ISOLATED, READS_ONLY
from tests.cli.command import CUT, SAMPLES, apart, static

KERAS = str(SAMPLES / "finetune.keras")
ONE_MODEL = {
    ("inspect", "--static", KERAS): READS_ONLY,
    ("inspect", KERAS, "--static", "-o", "report.txt"): READS_ONLY,
    ("scan", CUT): READS_ONLY,
    ("check", f"{CUT}/saved_model.pb"): ISOLATED,
    ("why", KERAS, "dense/kernel"): ISOLATED,
}
NONE_OR_SEVERAL = [
    (),
    ("inspect",),
    ("inspect", "--help", KERAS),
    ("inspect", "--watch", KERAS),
    ("inspect", KERAS, CUT),
    ("inspect", "no_such.keras"),
    ("inspect", str(SAMPLES)),
    ("rules", KERAS),
]


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "processors", lambda: 2)


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("arguments", ONE_MODEL, ids=" ".join)
def test_one_model_has_a_process_with_its_flags(arguments: tuple[str, ...]) -> None:
    with started_early(arguments):
        assert claimed(ISOLATED if ONE_MODEL[arguments] == READS_ONLY else READS_ONLY) is None
        process = claimed(ONE_MODEL[arguments])
        assert process is not None
        assert claimed(ONE_MODEL[arguments]) is None
        assert process.process.poll() is None


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("arguments", NONE_OR_SEVERAL, ids=" ".join)
def test_no_process_is_started_for_what_would_not_ask_it(arguments: tuple[str, ...]) -> None:
    with started_early(arguments):
        assert claimed(ISOLATED) is None
        assert claimed(READS_ONLY) is None


def test_one_core_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "processors", lambda: 1)

    with started_early(("inspect", "--static", KERAS)):
        assert claimed(READS_ONLY) is None


@pytest.mark.usefixtures("two_cores")
def test_what_nobody_asked_is_gone() -> None:
    with started_early(("inspect", "--static", KERAS)):
        [waiting] = early._waiting

    assert waiting.process.returncode is not None
    assert early._waiting == []


@pytest.mark.usefixtures("two_cores")
def test_it_leaves_by_itself_once_its_parent_is_gone() -> None:
    with started_early(("inspect", "--static", KERAS)):
        [waiting] = early._waiting
        assert waiting.process.stdin is not None
        waiting.process.stdin.close()

        assert waiting.process.wait(timeout=60) == 0


def test_its_answer_is_that_of_any_other() -> None:
    done = apart("inspect", "--static", "--no-cache", KERAS, "--format", "json")

    assert done.code == 0
    assert done.stdout == static("--no-cache", KERAS, "--format", "json").stdout


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_its_death_is_told_in_one_line(tmp_path: Path) -> None:
    boot = "import os; os.write(2, b'boo'); os.abort()"
    tool = (
        f"from gradflow.process import early; early._BOOT = {boot!r}\n"
        "early.processors = lambda: 2\n"
        "from gradflow.__main__ import main; main(prog_name='gradflow')"
    )
    begun = time.monotonic()

    done = apart("inspect", "--static", "--no-cache", KERAS, code=tool, cwd=tmp_path)

    assert time.monotonic() - begun < 100
    assert "SIGABRT while starting; its last message: boo" in " ".join(
        done.failed_in_one_line().split()
    )
