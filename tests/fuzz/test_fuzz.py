"""Whatever happened to a file, what gradflow says of it is a block with a fix, or a report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gradflow.findings import Status
from gradflow.options import Options
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import inspect_path
from gradflow.report.layout import Layout
from gradflow.report.text import render_model
from tests.fuzz.mutations import KINDS, mutated
from tests.fuzz.run import fuzz

COUNTS = {"saved_model": 600, "index": 300, "keras": 600, "h5": 200}
"""``python -m tests.fuzz`` takes as many as there is time for. Altered HDF5 can keep its library in
a circle."""
STEPPED = 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_brings_no_traceback(kind: str) -> None:
    result = fuzz(kind, 0, COUNTS[kind])

    assert result.faults == []
    assert result.counts.total() == COUNTS[kind]
    # Most damage is found; and if all were refused, nothing behind the first check would be tried.
    assert result.counts["refused"] > COUNTS[kind] / 4
    assert result.counts["read"] > COUNTS[kind] / 20


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_damage(kind: str, tmp_path: Path) -> None:
    first, second = mutated(kind, 7, tmp_path / "a"), mutated(kind, 7, tmp_path / "b")

    assert contents(first) == contents(second)
    assert contents(first) != contents(mutated(kind, 8, tmp_path / "c"))


def contents(path: Path) -> dict[str, bytes]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(one.relative_to(path)): one.read_bytes() for one in files if one.is_file()}


@pytest.fixture(scope="module")
def copies() -> Iterator[ForkServers]:
    with ForkServers() as made:
        yield made


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_that_is_run_is_a_report_or_a_block(
    kind: str, tmp_path: Path, copies: ForkServers
) -> None:
    for seed in range(STEPPED):
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
