"""The answer key of tiny functions: in memory, op by op, as a SavedModel on the tape and read
statically, and the way of each variable."""

from __future__ import annotations

from pathlib import Path

import pytest

import gradflow
from gradflow.analysis.static import read
from gradflow.options import Options
from tests.agreement.hold import complaints, hold_route
from tests.agreement.subject import analysed
from tests.models.functions import CASES, Case, Module, Truth
from tests.tape.replayed import hold_replay

pytestmark = pytest.mark.tensorflow

LOOKUP_ERRORS = frozenset({"GF203", "GF207"})


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(scope="module")
def module(case: Case) -> Module:
    """Traced once: a trace takes as long as a step."""
    return Module(case.name)


@pytest.fixture(scope="module")
def saved(case: Case, module: Module, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp(case.name))
    module.save(folder)
    return folder


def needs_loading(case: Case) -> None:
    """Skip a case whose saved file TensorFlow itself cannot differentiate."""
    if case.unloadable:
        pytest.skip(f"TensorFlow alone cannot: {case.unloadable}")


def test_the_bare_tape_gives_the_verdicts_of_the_key(case: Case, module: Module) -> None:
    from tests.models.oracle import measure_module

    codes = {code for truth in case.truths.values() for code, _ in truth.causes}
    if LOOKUP_ERRORS & codes.union(*(truth.raises for truth in case.truths.values())):
        with pytest.raises(LookupError):
            measure_module(Module(case.name))  # which leaves a trace that is cut short
        return
    measured = measure_module(module)
    assert {key: measured[key][0].verdict for key in case.truths} == {
        key: truth.verdict for key, truth in case.truths.items()
    }


def test_the_module_in_memory_gets_the_same_report(case: Case, module: Module) -> None:
    report = gradflow.inspect(module, entry="serve").models[0]
    assert complaints(report, case.truths) == []


def test_the_step_op_by_op_comes_out_as_the_tape_has_it(module: Module) -> None:
    hold_replay(module)


def test_the_saved_function_gets_its_true_verdicts_and_causes(case: Case, saved: str) -> None:
    """And the way of a variable that a step measured; where none was, ``why`` is not asked."""
    needs_loading(case)
    measured = [key for key, truth in case.truths.items() if truth.verdict in ("zero", "nonfinite")]
    analysis = analysed(saved, Options(why=measured[0] if measured else None))
    assert complaints(analysis.report, case.truths) == []
    if measured:
        hold_route(analysis)


def test_the_static_reading_says_the_same_as_far_as_a_file_can_tell(case: Case, saved: str) -> None:
    report = read(saved, Options(static=True)).report
    assert report.mode.value == "static"
    assert all(variable.gradient is None for variable in report.variables)
    assert complaints(report, case.truths, static=True) == []


def test_the_way_of_every_variable_is_as_the_report_says(case: Case, saved: str) -> None:
    for key in case.truths:
        hold_route(read(saved, Options(static=True, why=key)))


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
    module = Module("reversal")
    gradflow.inspect(module, entry="serve")  # the first to trace it
    module.save(str(tmp_path))
    assert (
        complaints(
            read(str(tmp_path), Options(static=True)).report, CASES["reversal"].truths, static=True
        )
        == []
    )
