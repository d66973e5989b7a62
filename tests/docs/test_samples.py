"""The first table of sample_models/README.md says what the report of each model begins with."""

from __future__ import annotations

import re

import pytest

import gradflow
from gradflow.findings import ModelReport
from gradflow.report.headline import statement
from tests.docs.console import ROOT

SAMPLES = (ROOT / "sample_models" / "README.md").read_text(encoding="utf-8")
SAMPLE_ROW = re.compile(r"^\| (`[a-z_.0-9, `]+`) \| .* \| `(?P<first>.*)` \|$", re.MULTILINE)


def sample_rows() -> list[object]:
    """One row a file; a SavedModel is read without TensorFlow, since its own tests step it."""
    return [
        pytest.param(
            name,
            row["first"],
            id=name,
            marks=[] if name.endswith("_saved_model") else [pytest.mark.tensorflow],
        )
        for row in SAMPLE_ROW.finditer(SAMPLES)
        for name in re.findall(r"`([^`]+)`", row[1])
    ]


@pytest.mark.parametrize(("name", "first"), sample_rows())
def test_a_sample_model_shows_what_its_row_says(name: str, first: str) -> None:
    path = ROOT / "sample_models" / name
    if name.endswith("_saved_model"):
        report = gradflow.inspect(path, static=True).models[0]
    else:
        from gradflow.options import Objective
        from tests.agreement.subject import report_on_file

        analysed = report_on_file(path, objective=Objective.AUTO)
        assert isinstance(analysed, ModelReport)
        report = analysed

    assert statement(report) == first


def test_every_sample_model_has_a_row() -> None:
    names = {path.name for path in (ROOT / "sample_models").iterdir()} - {
        "README.md",
        "build.py",
        "__pycache__",
    }

    assert {row.values[0] for row in sample_rows()} == names  # type: ignore[attr-defined]
