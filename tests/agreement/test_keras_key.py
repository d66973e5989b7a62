"""The answer key of tiny Keras models: as a .keras file, exported as a SavedModel, and in
memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gradflow
from gradflow.analysis.static import read
from gradflow.findings import ModelReport, Role, Variable, Verdict
from gradflow.options import Objective, Options
from tests.agreement.hold import complaints
from tests.agreement.subject import analysed
from tests.models.keras_key import KERAS_CASES, KerasCase, truths_of
from tests.models.keras_key.case import made

if TYPE_CHECKING:
    from tests.models.functions.case import Truth
    from tests.models.keras_key.case import Truths

pytestmark = pytest.mark.tensorflow


def cases(*, safe: bool) -> list[str]:
    """The cases that Keras loads in safe mode, or those that it does not."""
    return [name for name, case in KERAS_CASES.items() if case.safe == safe]


@pytest.mark.parametrize("name", KERAS_CASES)
def test_the_bare_tape_gives_the_verdicts_of_the_key(name: str) -> None:
    from tests.models.oracle import measure_model

    case = KERAS_CASES[name]
    if case.outputs:
        pytest.skip("a bare script asks for all outputs")
    model = made(case)
    measured = measure_model(model)
    weights = [weight.path for weight in model.trainable_weights]
    truths = truths_of(case.truths, weights)
    assert {path: measured[path][0].verdict for path in weights} == {
        path: truths[path].verdict for path in weights
    }


@pytest.mark.parametrize("name", cases(safe=True))
def test_the_keras_file_gets_its_true_verdicts_and_causes(name: str, tmp_path: Path) -> None:
    case = KERAS_CASES[name]
    path = tmp_path / "model.keras"
    made(case).save(path)
    assert wrong(analysed(path, Options(outputs=case.outputs)).report, case.truths) == []
    assert wrong_alone(path, case) == []


@pytest.mark.parametrize("name", KERAS_CASES)
def test_the_exported_model_gets_its_true_verdicts_and_causes(name: str, tmp_path: Path) -> None:
    case = KERAS_CASES[name]
    assert wrong(exported(case, tmp_path), case.exported) == []


@pytest.mark.parametrize("name", cases(safe=False))
def test_a_model_that_no_keras_file_brings_back_gets_the_same_in_memory(name: str) -> None:
    case = KERAS_CASES[name]
    assert wrong(in_memory(case), case.truths) == []


def test_many_weights_behind_one_cut_are_one_finding() -> None:
    (finding,) = in_memory(KERAS_CASES["many_weights_behind_one_cut"]).findings
    assert len(finding.variables) == 12


def test_the_mode_of_the_step_is_said(tmp_path: Path) -> None:
    case = KERAS_CASES["batch_norm_and_dropout"]
    assert "training=True" in str(in_memory(case).entry)
    assert "serving_default" in str(exported(case, tmp_path).entry)


def exported(case: KerasCase, folder: Path) -> ModelReport:
    made(case).export(folder, verbose=False)
    return analysed(folder, Options(outputs=case.outputs)).report


def in_memory(case: KerasCase) -> ModelReport:
    return gradflow.inspect(made(case), outputs=case.outputs).models[0]


def wrong(report: ModelReport, truths: Truths) -> list[str]:
    names = [variable.name for variable in report.variables if variable.role is Role.WEIGHT]
    assert names
    return complaints(report, truths_of(truths, names))


def wrong_alone(path: Path, case: KerasCase) -> list[str]:
    """Return the weights of which the file alone tells something else than the key; it may tell
    nothing."""
    options = Options(static=True, outputs=case.outputs, objective=Objective.OUTPUTS)
    report = read(str(path), options).report
    weights = [variable for variable in report.variables if variable.role is Role.WEIGHT]
    truths = truths_of(case.truths, [variable.name for variable in weights])
    return [
        f"{variable.name}: {variable.verdict.value}, {variable.causes}"
        for variable in weights
        if not tells_the_truth(variable, truths[variable.name])
    ]


def tells_the_truth(variable: Variable, truth: Truth) -> bool:
    """Return whether a static verdict is the true one with its causes, or unknown.

    What only the values tell (a dead unit) is no matter of the file.
    """
    if variable.verdict is Verdict.UNKNOWN:
        return True
    if variable.verdict is Verdict.FLOWS:
        return truth.verdict != "none"
    causes = {(cause.code, cause.op_type) for cause in variable.causes}
    return (
        variable.verdict.value == truth.verdict
        and variable.cuts_to_restore == truth.cuts
        and causes == set(truth.causes)
    )
