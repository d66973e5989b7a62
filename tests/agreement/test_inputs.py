"""Models that are hard to feed: analysed with no option, every weight of them flows, and the bare
tape says so too."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradflow.findings import ModelReport, Role, Severity
from tests.agreement.batches import recorded
from tests.agreement.compare import compare_with_tape
from tests.agreement.subject import report_on_file
from tests.models.inputs import functions, keras_models

pytestmark = pytest.mark.tensorflow


def fed(path: Path) -> ModelReport:
    """Analyse a file of a clean model, and hold the report against the tape on the same batch."""
    from tests.models.oracle import measure_file

    with recorded() as batches:
        report = report_on_file(path)
    assert isinstance(report, ModelReport), report.message
    entry = report.entry or "serving_default"
    score = compare_with_tape(
        report, lambda seed: measure_file(path, None, entry, seed, batches[0])
    )
    assert score.complaints == []
    assert score.weights > 0
    weights = [one for one in report.variables if one.role is Role.WEIGHT]
    assert {one.name: one.verdict.value for one in weights if one.verdict.value != "flows"} == {}
    assert [one.message for one in report.findings if one.severity is not Severity.NOTE] == []
    return report


@pytest.mark.parametrize("name", functions.BUILDERS)
def test_a_function_is_fed(name: str, tmp_path: Path) -> None:
    functions.save(name, str(tmp_path))
    fed(tmp_path)


@pytest.mark.parametrize("name", sorted(functions.BARE))
def test_a_function_without_a_signature_is_fed(name: str, tmp_path: Path) -> None:
    functions.save(name, str(tmp_path), with_signature=False)
    fed(tmp_path)


@pytest.mark.parametrize("name", keras_models.BUILDERS)
def test_a_keras_file_is_fed(name: str, tmp_path: Path) -> None:
    keras_models.BUILDERS[name]().save(tmp_path / "model.keras")
    fed(tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(keras_models.BUILDERS.keys() - keras_models.NOT_EXPORTED))
def test_an_export_of_a_keras_model_is_fed(name: str, tmp_path: Path) -> None:
    keras_models.BUILDERS[name]().export(tmp_path / "model", verbose=False)
    fed(tmp_path / "model")
