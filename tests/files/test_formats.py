"""Each format of model files is read by modules and functions that have the name of its reader."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from gradflow.files.formats import FILE_FORMATS, READERS
from gradflow.findings import Format


def test_each_format_but_that_of_an_object_in_memory_has_a_row() -> None:
    assert FILE_FORMATS.keys() == set(Format) - {Format.MEMORY}
    assert all(row.name and row.judged for row in FILE_FORMATS.values())


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_scans_and_reports(reader: str) -> None:
    scan = getattr(import_module(f"gradflow.scan.{reader}.scan"), f"scan_{reader}")
    static = import_module(f"gradflow.analysis.static_{reader}")

    assert list(inspect.signature(scan).parameters) == ["file", "imports", "is_trained"]
    report = getattr(static, f"report_{reader}")
    assert list(inspect.signature(report).parameters) == ["file", "path", "options"]
    assert list(inspect.signature(static.prepare).parameters) == []


@pytest.mark.tensorflow
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_runs(reader: str) -> None:
    run = getattr(import_module(f"gradflow.analysis.dynamic_{reader}"), f"run_{reader}")

    names = ["file", "path", "options", "custom", "progress"]
    assert list(inspect.signature(run).parameters) == names
