"""The layer table against the installed Keras: every class has a row, and what the rows say of a
model is what a bare tape gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradflow.analysis.static import read
from gradflow.findings import Role, Verdict
from gradflow.ops import layer_rows
from gradflow.options import Objective, Options

pytestmark = pytest.mark.tensorflow

NOT_MEASURED = {"ops.ConvTranspose", "ops.Histogram", "ops.ViewAsComplex"}
"""Operations that Keras cannot run on TensorFlow (3.15): a model with one has no gradient to ask
for."""
SAMPLE = (
    "Attention",
    "BatchNormalization",
    "ConvLSTM1D",
    "Conv2D",
    "Discretization",
    "Embedding",
    "LSTM",
    "MultiHeadAttention",
    "Dense",
    "UnitNormalization",
)


def every_class() -> list[str]:
    from gradflow.tables.layer_table import layer_classes

    return sorted(layer_classes())


def disagreements(name: str, count: int, folder: Path) -> tuple[int, list[str]]:
    """How many weights of random models around a layer were compared, and what was said that the
    tape does not say."""
    from gradflow.tables.layer_table import layer_classes
    from tests.models.layer_models import layer_models, taped

    compared, wrong = 0, []
    for made in layer_models(layer_classes()[name], count, 0, folder):
        truth = taped(made, training=True)
        if truth is None:
            continue
        for variable in read(str(made.path), Options(objective=Objective.OUTPUTS)).report.variables:
            arrives = truth.get(variable.layer_path or variable.name)
            if variable.role is not Role.WEIGHT or arrives is None:
                continue
            compared += 1
            if variable.verdict is Verdict.UNKNOWN or (variable.verdict is Verdict.NONE) is arrives:
                wrong.append(f"{made.about}: {variable.name} is {variable.verdict.value}")
    return compared, wrong


def test_every_class_has_a_row() -> None:
    from gradflow.tables.layer_table import layer_classes, older_classes, operation_classes

    rows = {row["class"] for row in layer_rows.all_rows()}
    wanted = {*layer_classes(), *older_classes(), *operation_classes()}
    assert wanted - rows == NOT_MEASURED


@pytest.mark.parametrize("name", SAMPLE)
def test_a_model_around_a_layer_gets_the_verdicts_of_the_tape(name: str, tmp_path: Path) -> None:
    compared, wrong = disagreements(name, 2, tmp_path)
    assert compared
    assert wrong == []


@pytest.mark.slow
def test_models_around_all_layers_get_the_verdicts_of_the_tape(tmp_path: Path) -> None:
    complaints, compared = [], 0
    for name in every_class():
        count, wrong = disagreements(name, 12, tmp_path)
        compared += count
        complaints += wrong
    # What the table has not measured (images augmented with their channels first) is unknown.
    assert [said for said in complaints if not said.endswith("unknown")] == []
    assert len(complaints) < compared / 100
    assert compared > 1000
