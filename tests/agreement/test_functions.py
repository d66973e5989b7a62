"""The answer key of tiny functions: as a SavedModel on the tape, as a SavedModel read statically, and in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

import gradflow
from gradflow.findings import ModelReport
from gradflow.options import Options
from tests.models.functions import CASES, Module, Truth

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("name", CASES)
def test_the_saved_function_gets_its_true_verdicts_and_causes(name: str, tmp_path: Path) -> None:
    from gradflow.worker.analyse import analyse_file

    Module(name).save(str(tmp_path))
    _hold(analyse_file(str(tmp_path), Options()), CASES[name][1])


@pytest.mark.parametrize("name", CASES)
def test_the_static_reading_says_the_same_as_far_as_a_file_can_tell(name: str, tmp_path: Path) -> None:
    from gradflow.worker.read import read

    Module(name).save(str(tmp_path))
    report = read(str(tmp_path), Options(static=True))
    assert report.mode.value == "static"
    for variable in report.variables:
        truth = CASES[name][1][variable.name]
        assert variable.verdict.value == (truth.static or truth.verdict), variable.name
        assert variable.gradient is None
        if truth.static is None:
            assert _causes(variable) == truth.causes


@pytest.mark.parametrize("name", CASES)
def test_the_module_in_memory_gets_the_same_report(name: str) -> None:
    module = Module(name)
    _hold(gradflow.inspect(module, entry="serve").models[0], CASES[name][1])


def test_a_file_saved_without_its_custom_gradients_says_so(tmp_path: Path) -> None:
    Module("straight_through").save(str(tmp_path), custom_gradients=False)
    lost = Truth("none", frozenset({("GF210", "IdentityN")}), 1)
    truths = {"a": lost, "b": CASES["straight_through"][1]["b"], "c": CASES["straight_through"][1]["c"]}
    # In a process of its own: here TensorFlow still knows the gradient function by its name.
    _hold(gradflow.inspect(tmp_path).models[0], truths)
    assert [variable.verdict.value for variable in gradflow.inspect(tmp_path, static=True).models[0].variables] == [
        truths[name].verdict for name in "abc"
    ]


def _hold(report: ModelReport, truths: dict[str, Truth]) -> None:
    assert report.error is None
    assert {variable.name for variable in report.variables} == set(truths)
    for variable in report.variables:
        truth = truths[variable.name]
        assert variable.verdict.value == truth.verdict, variable.name
        assert _causes(variable) == truth.causes, variable.name
        assert variable.cuts_to_restore == truth.cuts, variable.name


def _causes(variable) -> frozenset[tuple[str, str | None]]:
    return frozenset((cause.code, cause.op_type) for cause in variable.causes)
