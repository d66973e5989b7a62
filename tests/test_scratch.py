"""A scratch folder is gone when its process is, and nobody else's is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from gradflow import scratch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no lock to look at")
HOLD = """
from gradflow.scratch import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "_SETTLED", 0.0)
    return tmp_path


def begin() -> None:
    """Do what the first scratch folder of a new process does."""
    scratch._remove_what_was_left.cache_clear()
    with scratch.scratch_folder():
        pass


def test_what_a_killed_process_left_goes_and_that_of_a_living_one_stays(temporary: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
        encoding="utf-8",
    )
    with holder:
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().strip())
        (folder / "left").write_text("")
        begin()
        assert (folder / "left").exists()

        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert folder.exists()
        begin()
        assert not folder.exists()


def test_other_folders_stay(temporary: Path) -> None:
    names = ("gradflow-run-", "gradflow-run-of-mine", "gradflow-results", "tmpabcdefgh")
    for name in names:
        (temporary / name).mkdir()
    (temporary / "gradflow-run-abcdefgh").symlink_to(temporary / "gradflow-results")
    before = sorted(temporary.iterdir())

    begin()

    assert sorted(temporary.iterdir()) == before


def test_one_that_is_just_made_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not locked yet."""
    monkeypatch.setattr(scratch, "_SETTLED", 60.0)
    new, old = temporary / "gradflow-run-aaaaaaaa", temporary / "gradflow-run-bbbbbbbb"
    new.mkdir()
    old.mkdir()
    os.utime(old, (time.time() - 100,) * 2)

    begin()

    assert (new.exists(), old.exists()) == (True, False)


def test_whatever_a_model_has_made_is_removed(temporary: Path) -> None:
    """Folders deeper than a path can be and Python can recurse, and without rights."""
    aside = temporary / "aside"
    (aside / "file").parent.mkdir()
    (aside / "file").write_text("")
    here = os.open(".", os.O_RDONLY)
    try:
        with scratch.scratch_folder() as folder:
            (Path(folder) / "link").symlink_to(aside)
            os.mkfifo(Path(folder) / "pipe")
            closed = Path(folder) / "closed"
            closed.mkdir()
            (closed / "file").write_text("")
            closed.chmod(0)
            os.chdir(folder)
            for _ in range(3000):
                Path("below").mkdir()
                os.chdir("below")
            Path("closed").mkdir(0)
            Path("link").symlink_to(aside)
    finally:
        os.chdir(here)
        os.close(here)

    assert [path.name for path in temporary.iterdir()] == ["aside"]
    assert (aside / "file").exists()
