"""A file that is named for a report is written over only where it holds such a report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gradflow.report.formats import FORMATS
from tests.cli.command import CUT, HEALTHY, ROOT, SAMPLES, Done, here
from tests.options.faked import faked

pytestmark = pytest.mark.usefixtures("kept_results")

ANSWERS = {
    "why": ["why", "--static", CUT, "query_hidden/kernel"],
    "explain": ["explain", "GF202"],
    "rules": ["rules"],
    "diff": ["diff", "--static", CUT, HEALTHY],
    "entries": ["inspect", "--static", "--entry", "list", CUT],
    "no changes": ["diff", "--static", CUT, CUT],
    "scan": ["scan", CUT, HEALTHY],
    "failure": ["inspect", "--static", "nowhere"],
    "schema": ["schema", "config"],
    "baseline": ["baseline", "--static", CUT],
}
FOREIGN = {
    "notes.txt": "Buy milk: two bottles.\n",
    "table.csv": "epoch,loss\n1,0.5\n",
    "other.json": json.dumps({"schema": "another", "models": []}),
    "gradflow.yaml": "version: 1\nmodels: []\n",
    "train.py": "import keras\n\nmodel = keras.Model()\n",
    "bytes": "\x00\x01\x02",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ANSWERS)
def test_what_was_written_is_written_again(name: str, folder: Path) -> None:
    first = here(*ANSWERS[name], "-o", "out")
    text = (folder / "out").read_text()
    again = here(*ANSWERS[name], "-o", "out")

    assert (again.code, _closing(again)) == (first.code, _closing(first))
    assert (folder / "out").read_text() == text != ""


def _closing(done: Done) -> list[str]:
    """What is said but for progress, whose order is that in which the models end."""
    return [line for line in done.stderr.splitlines() if not line.startswith("[")]


@pytest.mark.parametrize("format", FORMATS)
def test_a_report_is_written_again_in_its_format(format: str, folder: Path) -> None:
    options = ["--static", CUT, HEALTHY, "--report", f"{format}=out"]
    assert [here("inspect", *options).code for _ in range(2)] == [0, 0]
    other = next(name for name in FORMATS if name not in (format, "text"))

    done = here("inspect", "--static", CUT, "--format", other, "-o", "out")

    assert done.code == 2
    assert f"is not a {other} report that gradflow wrote" in done.failed_in_one_line()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", [*FOREIGN, "README.md", "pyproject.toml", "LICENSE"])
def test_another_file_stays_unless_it_is_forced(name: str, format: str, folder: Path) -> None:
    out = folder / name
    if name in FOREIGN:
        out.write_text(FOREIGN[name])
    else:
        shutil.copy(ROOT / name, out)
    before = out.read_bytes()

    with faked():
        refused = here("inspect", CUT, "--report", f"{format}={name}")
        assert out.read_bytes() == before
        forced = here("inspect", CUT, "--report", f"{format}={name}", "--force")

    line = f"{name}: exists already, and is not"
    assert line in refused.failed_in_one_line()
    assert refused.stderr.endswith("name another file, or replace it with --force\n")
    assert forced.code == 0
    assert out.read_bytes() != before


@pytest.mark.parametrize(
    "command",
    [ANSWERS["why"], ANSWERS["rules"], ANSWERS["schema"], ANSWERS["baseline"], ["init", CUT]],
    ids=lambda command: command[0],
)
def test_every_command_with_a_file_looks_at_it(command: list[str], folder: Path) -> None:
    (folder / "train.py").write_text(FOREIGN["train.py"])

    assert "train.py: exists already" in here(*command, "-o", "train.py").failed_in_one_line()
    assert (folder / "train.py").read_text() == FOREIGN["train.py"]


@pytest.mark.parametrize(
    "target",
    ["healthy.keras", "healthy.h5", "saved/saved_model.pb", "saved/variables/variables.index"],
)
def test_a_model_is_never_written_over(target: str, folder: Path) -> None:
    for kind in ("keras", "h5"):
        shutil.copy(SAMPLES / f"healthy.{kind}", folder)
    shutil.copytree(SAMPLES / "healthy_saved_model", folder / "saved")
    before = (folder / target).read_bytes()
    (folder / "link").symlink_to(folder / target)

    for name in (target, "link"):
        done = here("inspect", "--static", "saved", "-o", name, "--force")
        assert "which gradflow never changes" in done.failed_in_one_line()
    assert (folder / target).read_bytes() == before


def test_an_empty_file_and_a_report_beside_a_model_are_fine(folder: Path) -> None:
    shutil.copytree(SAMPLES / "healthy_saved_model", folder / "saved")
    (folder / "empty").write_text("")

    for name in ("empty", "saved/report.txt", "saved/report.txt"):
        assert here("inspect", "--static", "saved", "-o", name).code == 0
