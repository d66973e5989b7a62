"""``package.module:function`` is analysed as the model in memory that it returns."""

from __future__ import annotations

from pathlib import Path

import pytest

import gradflow
from gradflow.analysis.in_memory import inspect_object
from gradflow.analysis.own_function import analyse_function
from gradflow.findings import Failure, ModelReport
from gradflow.options import InputSpec, Options
from tests.cli.command import ROOT, here
from tests.models.own import makers

pytestmark = pytest.mark.tensorflow
MODULE = "tests.models.own.makers"


def analysed(name: str, options: Options | None = None) -> ModelReport:
    _, analysis = analyse_function(name, options or Options(), str(ROOT), lambda _: None)
    return analysis.report


def failure(name: str) -> Failure:
    error = analysed(name).error
    assert error is not None
    return error


@pytest.mark.parametrize("maker", ["cut", "healthy"])
def test_a_function_is_the_model_that_it_returns(
    maker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = analysed(f"{MODULE}:{maker}")
    live = inspect_object(getattr(makers, maker)(), Options())[1].report

    assert report.path == f"{MODULE}:{maker}"
    assert [(item.name, item.verdict) for item in report.variables] == [
        (item.name, item.verdict) for item in live.variables
    ]
    assert [finding.code for finding in report.findings] == [
        finding.code for finding in live.findings
    ]


def test_a_batch_comes_along_and_the_command_line_goes_before_it() -> None:
    report = analysed(f"{MODULE}:tower")
    described = Options(inputs=(InputSpec("x", "float32", (2, 3)),))

    assert [(item.shape, item.source) for item in report.inputs] == [((5, 3), "given")]
    assert report.summary.flows == 1
    assert [item.shape for item in analysed(f"{MODULE}:tower", described).inputs] == [(2, 3)]


def test_a_batch_has_targets_and_sample_weights() -> None:
    report = analysed(f"{MODULE}:weighed")

    assert str(report.objective).endswith("; with the sample_weight given")
    assert report.summary.zero == 2


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "wrong_batch",
            "its batch: x: the array is float32[2,5], the model takes float32[?,6]",
            "give an array of that shape",
        ),
        ("wrong_target", "its batch: y: no output is called 'heed'", "did you mean 'head'?"),
    ],
)
def test_a_batch_that_does_not_fit_is_told_as_what_it_is(
    name: str, message: str, hint: str
) -> None:
    error = failure(f"{MODULE}:{name}")

    assert (error.message, error.hint) == (message, hint)


def test_a_method_is_a_function_too() -> None:
    described = Options(inputs=(InputSpec("x", "float32", (2, 3)),))

    assert analysed(f"{MODULE}:Tower.made", described).error is None


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("towr", "tests.models.own.makers has no 'towr'", "did you mean 'tower'?"),
        ("xyz", "has no 'xyz'", "its functions: cut, healthy, tower, wants, fails, leaves, text"),
        ("Tower.mad", "has no 'mad'", "did you mean 'made'?"),
        ("NUMBER", "is no function: int", "its functions: cut"),
        ("wants", "needs size, and gradflow calls it without arguments", "give each a default"),
        ("fails", "calling it raised ValueError: no data here (tests/models/own/makers.py:", ""),
        ("leaves", "calling it raised SystemExit: it ended with exit code 3", ""),
        ("text", "returned str, which is no model", "return a Keras model, a tf.Module"),
    ],
)
def test_what_makes_no_model_is_one_message(name: str, message: str, hint: str) -> None:
    error = failure(f"{MODULE}:{name}")

    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("tests.models.own.maker:cut", "no module 'maker' in tests.models.own", "'makers'?"),
        ("testz.models:cut", "there is no module 'testz'", "did you mean 'tests'?"),
        ("tests.models.own.absent.more:cut", "no module 'absent' in tests.models.own", ""),
    ],
)
def test_a_module_that_is_not_there_is_told_with_the_nearest(
    name: str, message: str, hint: str
) -> None:
    error = failure(name)

    assert message in error.message
    assert hint in error.hint


def test_a_module_that_fails_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "lacking.py").write_text("x = 1\nimport no_such_library\n")
    _, analysis = analyse_function("lacking:make", Options(), str(tmp_path), lambda _: None)

    assert analysis.report.error is not None
    assert analysis.report.error.message == (
        "importing its module raised ModuleNotFoundError: No module named 'no_such_library' "
        "(lacking.py:2)"
    )


def test_a_module_below_src_is_told_how_to_reach(tmp_path: Path) -> None:
    (tmp_path / "src" / "netpack").mkdir(parents=True)
    _, analysis = analyse_function("netpack:make", Options(), str(tmp_path), lambda _: None)

    assert analysis.report.error is not None
    assert analysis.report.error.hint == (
        "it is below src: set PYTHONPATH=src, or install your package"
    )


def test_nothing_is_run_for_a_module_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process is started for it, and nobody is told that code was run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "makers.py").touch()
    (tmp_path / "gradflow.yaml").touch()

    done = here("inspect", "maker:healthy")

    assert done.code == 2
    assert "there is no module 'maker'" in done.stdout
    assert "did you mean 'makers'?" in done.stdout
    assert done.stderr == ""


def test_a_keras_model_has_no_other_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"{MODULE}:healthy"
    _, analysis = analyse_function(name, Options(entry="serve"), str(ROOT), lambda _: None)

    assert analysis.report.error is not None
    assert analysis.report.error.message == ("--entry 'serve': a Keras model has one entry only")


def test_the_commands_and_the_configuration_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own, which may write where it wants to, and is told of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "makers.py").write_text(Path(makers.__file__).read_text())
    (tmp_path / "gradflow.yaml").write_text("models:\n  - {path: 'makers:healthy', name: h}\n")

    done = here("check")

    assert (done.code, done.stdout.splitlines()[0].split(" (")[0]) == (0, "h"), done
    assert "gradflow: makers:healthy: your own code was run, and not confined" in done.stderr
    assert (tmp_path / "was_here").exists()


def test_the_fixture_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    from gradflow.pytest_plugin import Gradflow

    with pytest.raises(pytest.fail.Exception, match="GF201"):
        Gradflow().assert_flows(f"{MODULE}:cut")


@pytest.mark.parametrize(
    ("command", "reader"),
    [
        (["inspect", "--static"], "--static"),
        (["scan"], "scan"),
        (["inspect", "--entry", "list"], "--entry list"),
    ],
)
def test_what_reads_files_takes_no_function(command: list[str], reader: str) -> None:
    done = here(*command, f"{MODULE}:cut", COLUMNS="300")

    assert done.code == 2
    assert f"is a function, which has to be run, and {reader} reads a file" in done.stdout


def test_a_file_of_that_name_goes_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model:v2").write_text("notes")

    assert "is a text file" in here("inspect", "model:v2").failed_in_one_line()
    report = gradflow.inspect("nets.py:make").models[0]
    assert report.error is not None
    assert report.error.hint == "write nets:make"
