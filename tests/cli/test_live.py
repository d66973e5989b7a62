"""What an audit shows while it runs: a picture that is wiped on a terminal, plain lines
elsewhere."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradflow.cli.live_progress import Display
from tests.cli.command import SAMPLES, environment, here
from tests.report.reports import several


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo terminals")
def test_a_terminal_shows_a_picture_and_the_report_is_the_same(tmp_path: Path) -> None:
    config = tmp_path / "audit.yaml"
    config.write_text(f"version: 1\nmodels:\n  - {{path: {SAMPLES}/*_saved_model, static: true}}\n")
    arguments = ("audit", str(config), "--no-cache", "--jobs", "2")
    piped = here(*arguments, COLUMNS="100")

    code, stdout, shown = _on_a_terminal(*arguments)

    assert (code, stdout) == (piped.code, piped.stdout)
    assert " models done" in shown
    assert "[1/" not in shown
    last = shown.rpartition("\x1b[2K")[2]  # what is written after the last line was wiped stays
    assert "gradflow: audit: " in last
    assert " models done" not in last
    assert _on_a_terminal(*arguments, "-q")[2].count("\x1b") == 0


def test_elsewhere_each_model_is_a_line_as_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    models = several().models
    with Display([model.path for model in models], quiet=False, verbose=False) as display:
        for place in reversed(range(len(models))):
            display.stage(place, "loading the model")
            display.finished(place, models[place], is_broken=False)

    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"[{number}/3] {model.path}" for number, model in enumerate(reversed(models), start=1)
    ]


def _on_a_terminal(*arguments: str) -> tuple[int, str, str]:
    """The exit code, stdout, and what a terminal gets as stderr."""
    ours, its = os.openpty()
    command = [sys.executable, "-m", "gradflow", *arguments]
    given = environment(COLUMNS="100", TERM="xterm")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=its, text=True, encoding="utf-8", env=given
    ) as run:
        os.close(its)
        parts: list[bytes] = []
        with contextlib.suppress(OSError):  # Linux tells the end of a terminal as an error
            while part := os.read(ours, 4096):
                parts.append(part)
        assert run.stdout is not None
        stdout = run.stdout.read()
    os.close(ours)
    return run.returncode, stdout, b"".join(parts).decode()
