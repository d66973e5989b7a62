"""What an audit shows while it runs: a picture that is wiped on a terminal, plain lines
elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gradflow.cli.live_progress import Display
from tests.cli.command import SAMPLES, here, on_a_terminal
from tests.report.reports import several


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo terminals")
def test_a_terminal_shows_a_picture_and_the_report_is_the_same(tmp_path: Path) -> None:
    config = tmp_path / "audit.yaml"
    config.write_text(f"version: 1\nmodels:\n  - {{path: {SAMPLES}/*_saved_model, static: true}}\n")
    arguments = ("audit", str(config), "--no-cache", "--jobs", "2")
    piped = here(*arguments, COLUMNS="100")

    done = on_a_terminal(*arguments)

    assert (done.code, done.stdout) == (piped.code, piped.stdout)
    assert " models done" in done.stderr
    assert "[1/" not in done.stderr
    last = done.stderr.rpartition("\x1b[2K")[2]  # what comes after the last wiped line stays
    assert "gradflow: audit: " in last
    assert " models done" not in last
    assert "\x1b" not in on_a_terminal(*arguments, "-q").stderr


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
