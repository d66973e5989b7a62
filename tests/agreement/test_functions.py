"""The answer key of tiny functions: as a SavedModel on the tape, as a SavedModel read statically,
and in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

import gradflow
from gradflow.options import Options
from tests.agreement.hold import complaints
from tests.agreement.subject import analysed
from tests.models.functions import CASES, Module, Truth

pytestmark = pytest.mark.tensorflow

LOOKUP_ERRORS = frozenset({"GF203", "GF207"})


def loadable() -> list[object]:
    """Every case; those whose saved file TensorFlow itself cannot differentiate are skipped, with
    the reason."""
    return [pytest.param(name, marks=_skipped(case.unloadable)) for name, case in CASES.items()]


def _skipped(unloadable: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.skip(reason=f"TensorFlow alone cannot: {unloadable}")] if unloadable else []


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The SavedModels that were written, by case."""
    return {}


def save(name: str, saved: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    if name not in saved:
        saved[name] = tmp_path_factory.mktemp(name)
        Module(name).save(str(saved[name]))
    return str(saved[name])


@pytest.mark.parametrize("name", CASES)
def test_the_bare_tape_gives_the_verdicts_of_the_key(name: str) -> None:
    from tests.models.oracle import measure_module

    module, truths = Module(name), CASES[name].truths
    codes = {code for truth in truths.values() for code, _ in truth.causes}
    if LOOKUP_ERRORS & codes.union(*(truth.raises for truth in truths.values())):
        with pytest.raises(LookupError):
            measure_module(module)
        return
    measured = measure_module(module)
    assert {key: measured[key][0].verdict for key in truths} == {
        key: truth.verdict for key, truth in truths.items()
    }


@pytest.mark.parametrize("name", loadable())
def test_the_saved_function_gets_its_true_verdicts_and_causes(
    name: str, saved: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    report = analysed(save(name, saved, tmp_path_factory), Options()).report
    assert complaints(report, CASES[name].truths) == []


@pytest.mark.parametrize("name", CASES)
def test_the_static_reading_says_the_same_as_far_as_a_file_can_tell(
    name: str, saved: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from gradflow.analysis.static import read

    report = read(save(name, saved, tmp_path_factory), Options(static=True)).report
    assert report.mode.value == "static"
    assert all(variable.gradient is None for variable in report.variables)
    assert complaints(report, CASES[name].truths, static=True) == []


@pytest.mark.parametrize("name", CASES)
def test_the_module_in_memory_gets_the_same_report(name: str) -> None:
    report = gradflow.inspect(Module(name), entry="serve").models[0]
    assert complaints(report, CASES[name].truths) == []


def test_what_is_seen_alike_at_several_ops_is_one_finding() -> None:
    name = "parts_of_a_kernel_times_a_state_of_zeros"
    report = gradflow.inspect(Module(name), entry="serve").models[0]
    (variable,) = (variable for variable in report.variables if variable.name == "b")
    assert len(variable.causes) == 3
    assert [finding.variables for finding in report.findings] == [("b",)]


def test_a_file_saved_without_its_custom_gradients_says_so(tmp_path: Path) -> None:
    Module("straight_through").save(str(tmp_path), custom_gradients=False)
    truths = CASES["straight_through"].truths
    lost = Truth("none", frozenset({("GF210", "IdentityN")}), 1)
    expected = {"a": lost, "b": truths["b"], "c": truths["c"]}
    # In a process of its own: here TensorFlow still knows the gradient function by its name.
    assert complaints(gradflow.inspect(tmp_path).models[0], expected) == []
    assert (
        complaints(gradflow.inspect(tmp_path, static=True).models[0], expected, static=True) == []
    )


def test_a_module_is_saved_with_its_custom_gradients_after_it_was_inspected(tmp_path: Path) -> None:
    from gradflow.analysis.static import read

    module = Module("reversal")
    gradflow.inspect(module, entry="serve")  # the first to trace it
    module.save(str(tmp_path))
    assert (
        complaints(
            read(str(tmp_path), Options(static=True)).report, CASES["reversal"].truths, static=True
        )
        == []
    )
