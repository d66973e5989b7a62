"""What the process that others are copied from reads before them is a model of the package."""

from __future__ import annotations

import zipfile

from gradflow.analysis.static import read
from gradflow.findings import Status
from gradflow.options import Options
from gradflow.process.warm_up import MODEL, warm_up
from tests.cli.command import SAMPLES


def test_the_model_is_the_sample() -> None:
    """Compressed, as it is a part of every installation."""
    with zipfile.ZipFile(MODEL) as packed, zipfile.ZipFile(SAMPLES / "two_towers.keras") as sample:
        assert packed.namelist() == sample.namelist()
        assert all(packed.read(name) == sample.read(name) for name in sample.namelist())


def test_it_can_be_read_and_leaves_no_trace() -> None:
    sample = str(SAMPLES / "healthy.keras")
    before = read(sample, Options(static=True))

    warm_up()

    assert read(str(MODEL), Options(static=True)).report.status is Status.ANALYZED
    assert read(sample, Options(static=True)) == before
