"""What is scanned is what is loaded, whatever stands at the path of the model in the meantime."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from gradflow.analysis.static import read
from gradflow.findings import Status
from gradflow.options import Options
from gradflow.process.held_file import held
from gradflow.process.parent import inspect_path
from gradflow.process.request import Purpose, request_about
from tests.cli.command import SAMPLES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a change is refused")
PAIRS = {
    "folder": ("healthy_saved_model", "two_towers_saved_model"),
    "saved_model.pb": ("healthy_saved_model", "two_towers_saved_model"),
    "keras": ("healthy.keras", "argmax.keras"),
    "h5": ("argmax.h5", "healthy.keras"),
}


def copied(name: str, path: Path) -> Path:
    source = SAMPLES / name
    shutil.copytree(source, path) if source.is_dir() else shutil.copyfile(source, path)
    return path


@pytest.mark.parametrize("kind", PAIRS)
def test_a_file_that_is_held_is_read_whatever_takes_its_place(kind: str, tmp_path: Path) -> None:
    first, second = PAIRS[kind]
    model = copied(first, tmp_path / "model")
    path = model / kind if kind == "saved_model.pb" else model
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    wanted = read(str(path), Options()).report

    request = held(request_about(Purpose.STATIC, str(path), "shown", Options()), scratch)
    model.rename(tmp_path / "aside")
    copied(second, model)

    report = read(request.path, Options()).report
    assert report.variables == wanted.variables
    assert report.variables != read(str(path), Options()).report.variables
    assert dict(request.names)[request.path] == "shown"


@pytest.mark.parametrize("name", ["nothing", "model/pipe", ".."])
def test_what_cannot_be_held_keeps_its_path(name: str, tmp_path: Path) -> None:
    import os

    (tmp_path / "model").mkdir()
    os.mkfifo(tmp_path / "model" / "pipe")
    request = request_about(Purpose.STATIC, str(tmp_path / name), "shown", Options())

    again = held(request, tmp_path)

    if name == "..":  # a folder like any other, whose link has a name
        assert Path(again.path).samefile(tmp_path.parent)
    else:
        assert again == request


@pytest.mark.tensorflow
def test_what_is_swapped_after_the_scan_is_not_loaded(tmp_path: Path) -> None:
    """Also where it is put back before anybody looks again."""
    good, bad = copied(PAIRS["folder"][0], tmp_path / "good"), tmp_path / "bad"
    copied(PAIRS["folder"][1], bad)
    link = tmp_path / "model"
    link.symlink_to(good)
    stages: list[str] = []

    def swap(stage: str) -> None:
        stages.append(stage)
        link.unlink()
        link.symlink_to(bad if "import" in stage else good)

    swapped = inspect_path(str(link), Options(), swap).model

    assert swapped.status is Status.ANALYZED
    assert any("import" in stage for stage in stages)
    assert swapped.variables == inspect_path(str(link), Options()).model.variables
