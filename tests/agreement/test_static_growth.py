"""A static reading takes steps for each node of a graph, and not for each pair of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gradflow.analysis.static import read
from gradflow.options import Options
from tests.benchmarks.large_graph import SHAPES, write_saved_model

pytestmark = pytest.mark.tensorflow


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python ``work`` runs, each time that it runs them."""
    count = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return local

    before = sys.gettrace()
    sys.settrace(lambda *_: local)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_times_the_nodes_take_ten_times_the_steps(shape: str, tmp_path: Path) -> None:
    counts = []
    for nodes in (10, 1_000, 4_000):
        path = tmp_path / str(nodes)
        write_saved_model(path, shape, nodes)
        counts.append(lines_run(lambda path=path: read(str(path), Options(static=True))))
    start, few, many = counts
    assert (many - start) / (few - start) <= 4 * 1.2
