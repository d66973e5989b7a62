"""Whatever happens to the process that has TensorFlow is one line and exit code 2, within the
deadline."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from gradflow.process import fork_start, parent, spawn
from tests.cli.command import CUT, ROOT, SAMPLES, inspect, process

pytestmark = pytest.mark.usefixtures("new_interpreters")
MODEL = str(SAMPLES / "healthy.keras")
STAGE = """print('{"stage": "step"}', flush=True); """
DEATHS = {
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", ["SIGKILL", "starting"]),
    "killed in the step": (
        f"{STAGE}import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        ["SIGKILL", "step"],
    ),
    "fault in the step": (f"{STAGE}import os; os.abort()", ["SIGABRT", "step"]),
    "exception": (
        "raise RuntimeError('out of luck')",
        ["exit code 1", "RuntimeError: out of luck"],
    ),
    "exit": ("import sys; sys.exit(7)", ["exit code 7"]),
    "silence": ("pass", ["exit code 0"]),
    "hang": ("import time; time.sleep(60)", ["0.3 s", "--timeout"]),
    "hang in the step": (f"{STAGE}import time; time.sleep(60)", ["0.3 s", "--timeout"]),
    "words": ("print('hello')", []),
    "words, then a hang": ("import time; print('hello', flush=True); time.sleep(60)", []),
    "bytes": ("import sys; sys.stdout.buffer.write(bytes([255, 254, 10]))", []),
    "a number": ("print(5)", []),
    "a list": ("print('[]')", []),
    "an unknown stage": ("""print('{"stage": "lunch"}')""", []),
    "no report": ("""print('{"report": {}, "tool": {}}')""", []),
    "a closed pipe, then a hang": ("import os, time; os.close(1); time.sleep(60)", []),
    "a child of its own that stays": (
        "import os, subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "os._exit(1)",
        [],
    ),
    "control characters on stderr": (
        "import sys; sys.stderr.write('\\x1b[2J\\x07boo\\n'); sys.exit(1)",
        ["exit code 1"],
    ),
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_death_is_one_line(death: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, words = DEATHS[death]
    monkeypatch.setattr(spawn, "_BOOT", code)
    start = time.monotonic()

    hangs = "sleep" in code  # what dies by itself has time for it on a busy machine
    monkeypatch.setattr(parent, "_GRACE", 0.2 if hangs else parent._GRACE)
    line = inspect(MODEL, "--timeout", "0.3" if hangs else "5").failed_in_one_line()

    assert time.monotonic() - start < 20
    assert line.startswith(f"{MODEL}: could not be checked (GF903): ")
    assert [word for word in words if word not in line] == []
    assert line.isprintable()


def test_a_hang_is_told_in_the_same_words_wherever_the_deadline_strikes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy machine it strikes in another stage, and a report is the same bytes each time."""
    lines = set()
    for stage in ("import", "step"):
        told = json.dumps({"stage": stage})
        code = f"print({told!r}, flush=True); import time; time.sleep(60)"
        monkeypatch.setattr(spawn, "_BOOT", code)
        lines.add(inspect(MODEL, "--timeout", "0.3").failed_in_one_line())
    [line] = lines
    assert "gave no answer in 0.3 s" in line


def test_the_other_models_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (spawn, fork_start):
        monkeypatch.setattr(module, "_BOOT", "import os; os.abort()")

    done = inspect(MODEL, CUT, "--format", "json")

    assert done.code == 2
    assert [model["error"]["code"] for model in json.loads(done.stdout)["models"]] == [
        "GF903",
        "GF903",
    ]


@pytest.mark.tensorflow
def test_a_deadline_ends_a_real_run() -> None:
    line = inspect(MODEL, "--timeout", "0.2").failed_in_one_line()

    assert "gave no answer in 0.2 s" in line
    assert "--timeout" in line


@pytest.mark.tensorflow
@pytest.mark.skipif(
    sys.platform != "linux", reason="other systems do not hold a process to its address space"
)
def test_a_lack_of_memory_is_called_that(tmp_path: Path) -> None:
    import keras

    # Two gigabytes of output, of a model that is small on the disk.
    layers = [keras.Input((64, 64, 3)), keras.layers.Conv2D(4, 1), keras.layers.UpSampling2D(96)]
    keras.Sequential(layers).save(tmp_path / "large.keras")

    line = inspect(str(tmp_path / "large.keras"), "--memory-limit", "500MB").failed_in_one_line()

    assert "GF903" in line
    assert "needs more memory than its limit of 0.5 GB; raise --memory-limit" in line


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_run_leaves_no_process_behind(
    tmp_path: Path, number: int, code: int
) -> None:
    mark = tmp_path / "pid"
    boot = (
        f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); "
        f"time.sleep(60)"
    )
    tool = (
        f"from gradflow.process import spawn; spawn._BOOT = {boot!r}\n"
        f"from gradflow.cli import main; main(prog_name='gradflow')"
    )
    with process("inspect", MODEL, code=tool, cwd=ROOT) as running:
        child = _pid(mark)
        running.send_signal(number)
        out, err = running.communicate(timeout=20)

    assert running.returncode == code
    assert out == ""
    assert "Traceback" not in err
    assert _ended(child)


def _pid(mark: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if mark.exists() and mark.read_text():
            return int(mark.read_text())
        time.sleep(0.05)
    raise AssertionError("the child never started")


def _ended(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
