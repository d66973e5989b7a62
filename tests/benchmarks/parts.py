"""Where the time of one ``inspect`` goes: ``python -m tests.benchmarks.parts``.

Processor time of each part, of the process that opens the model and of the command, for a small
model and for ResNet50; the median of five runs. On a machine with other work it is the shares that
tell something.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_RUNS = 5
_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_BARE_SMALL = str(Path(__file__).with_name("bare_small.py"))
PARTS = {
    "start": "start of both processes, the options",
    "scan": "looking for what could do harm",
    "import": "importing TensorFlow and Keras",
    "load": "loading the model",
    "step": "the gradient step",
    "trace": "tracing the graph, and what it tells",
    "replay": "running the step op by op",
    "report": "the answer, its checks and its text",
}


def parts_of(path: str) -> dict[str, float]:
    """Seconds of processor time of each part of one analysis in this process and its children.

    The modules of the command are imported here, so that their import counts.
    """
    from gradflow.analysis.result import report_of
    from gradflow.options import Options
    from gradflow.process.parent import _STAGES, inspect_path
    from gradflow.report.layout import PLAIN
    from gradflow.report.text import render

    names = {label: name for name, label in _STAGES.items()}
    marks: list[tuple[str, float]] = [("start", 0.0)]
    outcome = inspect_path(
        path, Options(), lambda label: marks.append((names[label], _processor()))
    )
    whole = os.times()
    ended = whole.children_user + whole.children_system
    begun = time.process_time()
    render(report_of([(outcome.tool, outcome.model)]), PLAIN)
    rendered = time.process_time() - begun
    spent = dict.fromkeys(PARTS, 0.0)
    marks.append(("", max(ended + begun, marks[-1][1])))
    for (name, since), (_, until) in pairwise(marks):
        spent[name] += until - since
    spent["report"] += rendered
    return spent


def _processor() -> float:
    """Seconds of this process and of its living children."""
    ticks = 0
    for child in children(os.getpid()):
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / _TICK


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    try:
        return [
            int(child)
            for task in Path(f"/proc/{process}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []


def measured(path: str, bare: str) -> None:
    """Print the table of a model."""
    from tests.benchmarks.speed import environment, run

    command = [sys.executable, "-m", "tests.benchmarks.parts", path]
    runs = []
    for _ in range(_RUNS):
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), check=True, capture_output=True, text=True
        )
        runs.append(json.loads(done.stdout))
    script = statistics.median(run([sys.executable, bare, path]).processor for _ in range(_RUNS))
    spent = {part: statistics.median(each[part] for each in runs) for part in PARTS}
    total = sum(spent.values())
    print(f"{Path(path).name}: {total:.2f} s, x{total / script:.2f} of the bare script's")
    for part, seconds in spent.items():
        print(f"  {PARTS[part]:40} {seconds:6.2f} s  {seconds / total:6.1%}")


def main() -> None:
    """Measure both models."""
    from tests.benchmarks.speed import _MAKE, BARE, environment

    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        large = str(Path(folder) / "resnet50.keras")
        subprocess.run(
            [sys.executable, "-c", _MAKE, large, str(Path(folder) / "resnet50")],
            check=True,
            env=environment(),
            capture_output=True,
        )
        measured(str(ROOT / "sample_models" / "two_towers.keras"), _BARE_SMALL)
        measured(large, BARE)


if __name__ == "__main__":
    if sys.argv[1:]:
        json.dump(parts_of(sys.argv[1]), sys.stdout)
    else:
        main()
