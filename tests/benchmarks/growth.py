"""How the time of what follows the step grows with the weights and the findings of a model.

``python -m tests.benchmarks.growth [WEIGHTS...]`` prints seconds of the processor for models of
2,000 and 20,000 weights, with one finding for each ten of them, and what each step of the size
multiplies them by. No model is run: the graph is made by hand.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from gradflow.diagnose import diagnose
from gradflow.diagnose.flow_map import draw_map
from gradflow.report.formats import FORMATS, renderer
from gradflow.report.layout import Layout
from tests.diagnose.grown import report_of, towers

EACH = 10
Answer = TypeVar("Answer")


def timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    begun = time.process_time()
    answer = work()
    return answer, time.process_time() - begun


def seconds(weights: int) -> dict[str, float]:
    """Seconds of each part of the work on a model of that size."""
    taken: dict[str, float] = {}
    evidence, taken["attribute"] = timed(lambda: towers(weights, EACH))
    (variables, findings), taken["diagnose"] = timed(lambda: diagnose(evidence))
    flow_map, taken["map"] = timed(lambda: draw_map(evidence, variables, ()))
    report = report_of(variables, findings, flow_map)
    for format in FORMATS:
        _, taken[format] = timed(lambda format=format: renderer(format)(report, Layout()))  # type: ignore[misc]
    return taken


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [2_000, 20_000]
    by_size = [seconds(size) for size in sizes]
    print(f"{'part':15}", *(f"{size:>10,}" for size in sizes), "   growth")
    for part in by_size[0]:
        row = [taken[part] for taken in by_size]
        growth = row[-1] / max(row[0], 1e-3)
        print(f"{part:15}", *(f"{number:10.2f}" for number in row), f"{growth:8.0f} x")


if __name__ == "__main__":
    main()
