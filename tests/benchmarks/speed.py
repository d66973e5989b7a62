"""The speed targets, each as a ratio of two things measured in one run: ``python -m
tests.benchmarks.speed [RUNS]``.

A and B take turns, and the ratio of their medians counts. Exit code 1 if a target is missed.
"""

from __future__ import annotations

import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.attribution import SHAPES

ROOT = Path(__file__).resolve().parents[2]
BARE = str(Path(__file__).with_name("bare.py"))
BARE_COMPILED = str(Path(__file__).with_name("bare_compiled.py"))
GRADFLOW = [sys.executable, "-m", "gradflow"]
_MAKE = """
import sys, keras
model = keras.applications.ResNet50(weights=None)
model.save(sys.argv[1])
model.export(sys.argv[2], verbose=False)
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One target and how it came out."""

    name: str
    ratio: float
    target: float
    note: str = ""

    @property
    def met(self) -> bool:
        return self.ratio <= self.target

    def line(self) -> str:
        """A row of the table."""
        word = "met   " if self.met else "MISSED"
        return f"{word} {self.name:66} {self.ratio:7.3f} (at most {self.target:.3f})  {self.note}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command took."""

    seconds: float
    processor: float
    """Seconds of processor time, its child process included: steadier than the clock on a busy
    machine."""
    peak_mib: float


def commands(folder: Path, runs: int) -> list[Result]:
    """The targets that compare whole commands."""
    keras_file, saved = str(folder / "resnet50.keras"), str(folder / "resnet50")
    subprocess.run(
        [sys.executable, "-c", _MAKE, keras_file, saved],
        check=True,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    flags = ["--select", "GF4", "--expect-frozen", "**/no_layer_of_this_name"]
    inspect, check = ("inspect", "--no-cache"), ("check", "--no-cache", "--exit-zero", *flags)
    targets = [
        ("inspect ResNet50.keras", inspect, keras_file, 1.15),
        ("inspect ResNet50 SavedModel", inspect, saved, 1.15),
        ("inspect --static ResNet50.keras", (*inspect, "--static"), keras_file, 1 / 22),
        ("inspect --static ResNet50 SavedModel", (*inspect, "--static"), saved, 1 / 30),
        ("scan ResNet50.keras", ("scan",), keras_file, 1 / 25),
        ("scan ResNet50 SavedModel", ("scan",), saved, 1 / 25),
        ("check of flags, .keras", (*check, "--static"), keras_file, 1 / 10),
        ("check of flags, SavedModel", (*check, "--static"), saved, 1 / 10),
    ]
    results = []
    for name, command, model, target in targets:
        ours, theirs = [*GRADFLOW, *command, model], [sys.executable, BARE, model]
        results += against(name, ours, theirs, target, runs)
    compiled = [sys.executable, BARE_COMPILED]
    name = "gradflow.inspect of a compiled ResNet50 in memory"
    results += against(name, [*compiled, "gradflow"], compiled, 1.1, runs)
    imported = [sys.executable, "-c", "import tensorflow"]
    return results + against("--help", [*GRADFLOW, "--help"], imported, 1 / 8, runs)


def against(
    name: str, ours: Sequence[str], theirs: Sequence[str], target: float, runs: int
) -> list[Result]:
    """Let ``ours`` and ``theirs`` take turns."""
    run(ours), run(theirs)  # the first of each reads the disk
    pairs = [(run(ours), run(theirs)) for _ in range(runs)]
    mine, bare = (statistics.median(pair[side].seconds for pair in pairs) for side in (0, 1))
    busy = statistics.median(one.processor for one, _ in pairs) / statistics.median(
        two.processor for _, two in pairs
    )
    single = sorted(one.seconds / two.seconds for one, two in pairs)
    memory = max(one.peak_mib for one, _ in pairs) / max(two.peak_mib for _, two in pairs)
    note = (
        f"{mine:.2f} s against {bare:.2f} s, single runs {single[0]:.3f} to {single[-1]:.3f}; "
        f"processor time x{busy:.3f}, peak memory x{memory:.2f}"
    )
    return [Result(name, mine / bare, target, note)]


def attribution() -> list[Result]:
    """Time per node of a large graph against a small one, and the large one's memory."""
    results = []
    for shape in SHAPES:
        few, many = [], []
        for _ in range(3):
            few.append(_attribution(shape, 10_000))
            many.append(_attribution(shape, 1_000_000))
        small, large = (
            min(each["seconds"] / each["nodes"] for each in side) for side in (few, many)
        )
        note = f"{large * 1e6:.2f} us a node against {small * 1e6:.2f} us"
        results.append(
            Result(
                f"attribution ({shape}), time a node, 1,000,000 against 10,000",
                large / small,
                1.5,
                note,
            )
        )
        peak = max(each["peak_mib"] for each in many)
        results.append(Result(f"attribution ({shape}), GiB at 1,000,000 nodes", peak / 1024, 2.0))
    return results


def _attribution(shape: str, nodes: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.attribution", shape, str(nodes)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def run(command: Sequence[str]) -> Cost:
    began = time.perf_counter()
    child = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"exit code {child.returncode}: {' '.join(command)}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def environment() -> dict[str, str]:
    """The same for both sides: no graphics card, which gradflow does not use either."""
    return {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "KERAS_BACKEND": "tensorflow",
    }


def compile_package() -> None:
    """Write the bytecode of gradflow, as pip does when it installs a package: TensorFlow has its
    own, and PYTHONDONTWRITEBYTECODE would leave a checkout without."""
    compileall.compile_dir(ROOT / "gradflow", quiet=1)


def main(runs: int) -> int:
    """Measure all, print the table."""
    compile_package()
    with tempfile.TemporaryDirectory() as folder:
        results = [*commands(Path(folder), runs), *attribution()]
    for result in results:
        print(result.line())
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
