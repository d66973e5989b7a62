"""The example that ``gradflow explain`` shows for a code brings that code about, and no other but
as a note.

After a change that is meant, write the golden reports anew: ``GRADFLOW_UPDATE_GOLDEN=1 pytest
tests/agreement``.
"""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import gradflow
from gradflow.catalogue import CATALOGUE, CodeEntry, Family
from gradflow.findings import Severity
from gradflow.report.layout import Layout
from gradflow.report.text import render

pytestmark = pytest.mark.tensorflow

GOLDEN = Path(__file__).parent / "golden"
UNSAFE = "GF902"
"""Its example is refused, and has no findings."""
SHOWN = [
    item for item in CATALOGUE.values() if item.example and item.family is not Family.EXPECTATIONS
]
"""Examples of expectations are a configuration: the tests of ``check`` show them."""
ORIGIN = ("  model in memory", "  SavedModel by ")
"""What tells the version of TensorFlow or Keras."""
OF_THE_GOLDEN = keras.__version__.startswith("3.15.") and tf.__version__.startswith("2.21.")
"""Other versions name some of the ops differently: there only the code is compared."""


@pytest.mark.parametrize("item", SHOWN, ids=lambda item: item.code)
def test_the_example_shows_its_code(
    item: CodeEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keras.backend.clear_session()
    names = {"keras": keras, "tf": tf, "np": np, "gradflow": gradflow}
    exec(compile(item.example, item.code, "exec"), names)
    files = [name for name in ("saved", "model.keras") if Path(name).exists()]
    watched = names.get("watched")
    report = watched.report if watched else gradflow.inspect(files[0] if files else names["model"])
    [model] = report.models

    assert (model.error.code if model.error is not None else None) == (
        item.code if item.code == UNSAFE else None
    )
    notes = {finding.code for finding in model.findings if finding.severity is Severity.NOTE}
    assert {finding.code for finding in model.findings} - notes <= {item.code}
    assert item.code == UNSAFE or item.code in {finding.code for finding in model.findings}

    lines = [
        line
        for line in render(report, Layout(width=100)).splitlines()
        if not line.startswith(ORIGIN)
    ]
    text = "\n".join([*lines, ""])
    golden = GOLDEN / f"{item.code}.txt"
    if os.environ.get("GRADFLOW_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8", newline="\n")
    if OF_THE_GOLDEN:
        assert text == golden.read_text(encoding="utf-8")


def test_every_golden_report_has_its_example() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{item.code}.txt" for item in SHOWN}
