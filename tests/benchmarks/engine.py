"""What one question costs after another, as ratios against a bare script: ``python -m
tests.benchmarks.engine [RUNS] [PART...]``.

Small models: a second question from the kept results, a new answer of ``--watch``, many files read
by warm processes, the processor time of one ``inspect``. Exit code 1 if a target is missed.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.speed import GRADFLOW, ROOT, Result, compile_package, environment, run

SAMPLES = ROOT / "sample_models"
BARE = [sys.executable, str(Path(__file__).with_name("bare_small.py"))]
_FILES = 200


def bare(model: Path) -> float:
    """Seconds of the script that one would write."""
    return run([*BARE, str(model)]).seconds


def pairs(
    name: str, ours: Callable[[], float], theirs: Callable[[], float], target: float, runs: int
) -> Result:
    """Let both take turns."""
    timed = [(ours(), theirs()) for _ in range(runs)]
    single = sorted(one / two for one, two in timed)
    mine, other = (statistics.median(pair[side] for pair in timed) for side in (0, 1))
    note = f"{mine:.2f} s against {other:.2f} s, single runs {single[0]:.3f} to {single[-1]:.3f}"
    return Result(name, statistics.median(single), target, note)


def processor(folder: Path, runs: int) -> list[Result]:
    """Processor time of one ``inspect``, beyond that of the script."""
    results = []
    for name in ("healthy.keras", "two_towers.keras"):
        model = str(SAMPLES / name)
        timed = [
            (run([*GRADFLOW, "inspect", "--no-cache", model]), run([*BARE, model]))
            for _ in range(runs)
        ]
        beyond = statistics.median(one.processor - two.processor for one, two in timed)
        note = "seconds of processor time beyond the script's"
        results.append(Result(f"inspect of a small model ({name})", beyond, 0.4, note))
    return results


def again(folder: Path, runs: int) -> list[Result]:
    """A second question, which the kept results answer."""
    model = SAMPLES / "two_towers.keras"
    run([*GRADFLOW, "inspect", str(model)])
    inspect = pairs(
        "inspect again, from the kept result",
        lambda: run([*GRADFLOW, "inspect", str(model)]).seconds,
        lambda: bare(model),
        1 / 6,
        runs,
    )
    why = pairs(
        "why after inspect",
        lambda: run([*GRADFLOW, "why", str(model), "document_hidden/kernel"]).seconds,
        lambda: bare(model),
        1 / 6,
        runs,
    )
    return [inspect, why]


def watch(folder: Path, runs: int) -> list[Result]:
    """From the moment that a file is replaced to its new report."""
    model = folder / "model.keras"
    shutil.copy(SAMPLES / "healthy.keras", model)
    command = [*GRADFLOW, "inspect", "--watch", "--no-cache", str(model)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as running:
        assert running.stderr is not None
        lines = running.stderr
        _until(lines.readline)
        names = iter(["finetune.keras", "healthy.keras"] * runs)

        def changed() -> float:
            shutil.copy(SAMPLES / next(names), folder / "new")
            (folder / "new").replace(model)
            begun = time.perf_counter()
            _until(lines.readline)
            return time.perf_counter() - begun

        result = pairs("--watch, a new answer", changed, lambda: bare(model), 1 / 4, runs)
        running.terminate()
    return [result]


def _until(line: Callable[[], str]) -> None:
    while "watching" not in line():
        pass


def readers(folder: Path, runs: int) -> list[Result]:
    """Many small files that are only read, each in a copy of a warm process without TensorFlow."""
    for number in range(_FILES):
        shutil.copy(SAMPLES / "finetune.keras", folder / f"{number}.keras")
    results = []
    for command in (["audit", "--static", "--no-cache", "--exit-zero"], ["scan"]):
        ours = [*GRADFLOW, *command, "-q", str(folder)]
        results.append(
            pairs(
                f"{' '.join(command[:2])} of {_FILES} files",
                lambda ours=ours: run(ours).seconds,
                lambda: bare(SAMPLES / "finetune.keras"),
                1 / 2,
                runs,
            )
        )
    return results


PARTS = {"processor": processor, "again": again, "watch": watch, "readers": readers}


def main(runs: int, names: list[str]) -> int:
    """Measure all, print the table."""
    compile_package()
    os.environ["PYTHONPATH"] = str(ROOT)
    results = []
    for name in names or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["GRADFLOW_CACHE_DIR"] = str(Path(folder) / "cache")
            (Path(folder) / "models").mkdir()
            results += PARTS[name](Path(folder) / "models", runs)
    for result in results:
        print(result.line())
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2:]))
