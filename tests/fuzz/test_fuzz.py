"""Whatever happened to a file, what gradflow says of it is a block with a fix, or a report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gradflow.findings import Status
from gradflow.options import Options
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import inspect_path
from gradflow.report.layout import Layout
from gradflow.report.text import render_model
from tests.fuzz.mutations import KINDS, drawn, mutated, one_of_each
from tests.fuzz.run import fuzz

COUNTS = {"saved_model": 100, "index": 110, "keras": 100, "h5": 60}
"""Each way of damage comes more than once; ``python -m tests.fuzz`` takes as many as there is time
for. Altered HDF5 can keep its library in a circle."""
TIMES = [1, pytest.param(10, marks=pytest.mark.slow)]


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_brings_no_traceback(kind: str, times: int) -> None:
    count = times * COUNTS[kind]
    result = fuzz(kind, 0, count)

    assert result.faults == []
    assert result.counts.total() == count
    # Most damage is found; and if all were refused, nothing behind the first check would be tried.
    assert result.counts["refused"] > count / 4
    assert result.counts["read"] > count / 20


@pytest.mark.parametrize("kind", KINDS)
def test_each_way_of_damage_is_tried_several_times(kind: str) -> None:
    ways = Counter(drawn(kind, seed)[2] for seed in range(COUNTS[kind]))

    assert ways.keys() == {*KINDS[kind][2]}
    assert min(ways.values()) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_damage(kind: str, tmp_path: Path) -> None:
    first, second = mutated(kind, 7, tmp_path / "a"), mutated(kind, 7, tmp_path / "b")

    assert contents(first) == contents(second)
    assert contents(first) != contents(mutated(kind, 8, tmp_path / "c"))


def contents(path: Path) -> dict[str, bytes]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(one.relative_to(path)): one.read_bytes() for one in files if one.is_file()}


@pytest.mark.tensorflow
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_that_is_run_is_a_report_or_a_block(
    kind: str, times: int, tmp_path: Path, copies: ForkServers
) -> None:
    for seed in one_of_each(kind).values() if times == 1 else range(20 * times):
        path = mutated(kind, seed, tmp_path)

        model = inspect_path(str(path), Options(timeout=60), spawn=copies).model

        if model.status is Status.FAILED:
            assert model.error is not None
            # A process that dies is contained; that a fault of gradflow's own ends it is not what
            # this is for.
            assert "exit code 1 " not in model.error.message, (seed, model.error)
            title, cause, *_ = render_model(model, Layout(400)).splitlines()
            assert title.startswith(f"{path}: could not be checked"), (seed, title)
            assert cause.startswith("  "), (seed, cause)
        assert "Traceback" not in render_model(model)
