"""The process that is started before the command line is there is asked, or ended unasked."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradflow.findings import Status
from gradflow.options import Options
from gradflow.process import early_start, fork_start, spawn
from gradflow.process.early_start import claimed, early_server, started_early
from gradflow.process.fork_client import ForkServers
from gradflow.process.isolated import ISOLATED, READS_ONLY
from gradflow.process.parent import inspect_path, list_models
from gradflow.process.spawn import interpreter
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
    monkeypatch.setattr(early_start, "processors", lambda: 2)


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
    monkeypatch.setattr(early_start, "processors", lambda: 1)

    with started_early(("inspect", "--static", KERAS)):
        assert claimed(READS_ONLY) is None


@pytest.mark.usefixtures("two_cores")
def test_what_nobody_asked_is_gone() -> None:
    with started_early(("inspect", "--static", KERAS)):
        [waiting] = early_start._waiting

    assert waiting.process.returncode is not None
    assert early_start._waiting == []


@pytest.mark.usefixtures("two_cores")
def test_it_leaves_by_itself_once_its_parent_is_gone() -> None:
    with started_early(("inspect", "--static", KERAS)):
        [waiting] = early_start._waiting
        assert waiting.process.stdin is not None
        waiting.process.stdin.close()

        assert waiting.process.wait(timeout=60) == 0


READ_SEVERAL = [
    ("scan", str(SAMPLES)),
    ("scan", KERAS, CUT),
    ("inspect", "--static", str(SAMPLES), "-o", "report.txt"),
    ("check", KERAS, CUT, "--static"),
    ("audit", "--static"),
]
ALL_OTHERS = [*ONE_MODEL, *NONE_OR_SEVERAL, ("audit",), ("audit", "--static", "--help")]


@pytest.mark.usefixtures("two_cores")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no fork server")
@pytest.mark.parametrize("arguments", READ_SEVERAL, ids=" ".join)
def test_several_that_are_read_have_a_fork_server(arguments: tuple[str, ...]) -> None:
    with started_early(arguments):
        assert early_server() is not None
    assert early_server() is None


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("arguments", ALL_OTHERS, ids=" ".join)
def test_no_others_have_one(arguments: tuple[str, ...]) -> None:
    with started_early(arguments):
        assert early_server() is None


@pytest.mark.usefixtures("two_cores")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no fork server")
def test_the_server_lists_and_reads() -> None:
    models, options = [KERAS, CUT], Options(static=True)
    apart = [inspect_path(model, options, spawn=interpreter) for model in models]
    listing = list_models(str(SAMPLES))

    with (
        started_early(("scan", *models)),
        ForkServers() as copies,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(fork_start, "_BOOT", "raise SystemExit(3)")  # no second one
        patch.setattr(spawn, "_BOOT", "raise SystemExit(3)")
        assert list_models(str(SAMPLES)) == listing
        answers = [inspect_path(model, options, spawn=copies) for model in models]

    assert answers == apart


@pytest.mark.usefixtures("two_cores")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no fork server")
def test_a_server_that_dies_is_replaced() -> None:
    with started_early(("scan", KERAS, CUT)), ForkServers() as copies:
        control = early_server()
        assert control is not None
        control.shutdown(socket.SHUT_RDWR)

        outcome = inspect_path(KERAS, Options(static=True), spawn=copies)

    assert outcome.model.status is Status.ANALYZED


def test_its_answer_is_that_of_any_other() -> None:
    done = apart("inspect", "--static", "--no-cache", KERAS, "--format", "json")

    assert done.code == 0
    assert done.stdout == static("--no-cache", KERAS, "--format", "json").stdout


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_its_death_is_told_in_one_line(tmp_path: Path) -> None:
    boot = "import os; os.write(2, b'boo'); os.abort()"
    tool = (
        f"from gradflow.process import early_start; early_start._BOOT = {boot!r}\n"
        "early_start.processors = lambda: 2\n"
        "from gradflow.__main__ import main; main(prog_name='gradflow')"
    )
    begun = time.monotonic()

    done = apart("inspect", "--static", "--no-cache", KERAS, code=tool, cwd=tmp_path)

    assert time.monotonic() - begun < 100
    assert "SIGABRT while starting; its last message: boo" in " ".join(
        done.failed_in_one_line().split()
    )


@pytest.mark.parametrize(
    ("reader", "other"),
    [
        ("gradflow.analysis.static_saved_model", "gradflow.flow.lower.layers"),
        ("gradflow.analysis.static_keras", "gradflow.flow.lower.saved_model"),
    ],
)
def test_what_reads_one_format_imports_nothing_of_the_other(reader: str, other: str) -> None:
    code = f"import sys, {reader}; sys.exit({other!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
