"""What gradflow does where TensorFlow is not installed, or not one that it is tested with."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

import gradflow
from gradflow import installed
from gradflow.errors import UsageError
from gradflow.findings import Mode, Status
from gradflow.options import Objective, Options
from gradflow.process.parent import inspect_path
from gradflow.pytest_plugin import Gradflow
from tests.cli.command import CUT, HEALTHY, ROOT, SAMPLES, here


@pytest.fixture
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # as if it could not be found


def given_version(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """The installed distributions that bring TensorFlow, by name (with ``_`` for ``-``)."""
    by_name = {name.replace("_", "-"): version for name, version in versions.items()}

    def version(name: str) -> str:
        if name not in by_name:
            raise importlib.metadata.PackageNotFoundError(name)
        return by_name[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(installed, "_tensorflow_file", lambda: Path("tensorflow/__init__.py"))


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("tensorflow", "2.15.1", "TensorFlow 2.15.1 is older than 2.16.1"),
        ("tensorflow_cpu", "2.16.0", "TensorFlow 2.16.0 is older than 2.16.1"),
        ("tensorflow", "2.16.1", ""),
        ("tensorflow_cpu", "2.21.3+local", ""),
        ("intel_tensorflow", "2.22.0rc1", "TensorFlow 2.22.0rc1 is newer than 2.21"),
        ("tf_nightly", "2.23.0.dev20270101", "is newer than 2.21"),
        ("tensorflow", "3.0", "is newer than 2.21"),
        ("tensorflow", "unknown", ""),
        ("vendors_own", "1.0", ""),
    ],
)
def test_a_version_that_is_not_tested_with_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, version: str, said: str
) -> None:
    given_version(monkeypatch, **{name: version})

    warning = installed.unsupported_version()
    assert said in warning
    assert bool(warning) is bool(said)


def test_of_two_distributions_that_disagree_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_version(monkeypatch, tensorflow="2.15.0", tensorflow_cpu="2.21.0")
    assert installed.unsupported_version() == ""

    given_version(monkeypatch, tensorflow="2.15.0", tensorflow_intel="2.15.0")
    assert installed.unsupported_version() != ""


def test_the_supported_versions_are_those_of_the_extra() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest = ".".join(map(str, installed.OLDEST_TENSORFLOW))
    major, minor = installed.NEWEST_TENSORFLOW

    assert f'"tensorflow>={oldest},<{major}.{minor + 1}"' in text


@pytest.mark.parametrize("extra", ["tf", "keras2", "remote", "dask"])
def test_an_extra_that_a_hint_names_exists(extra: str) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert f"\n{extra} = [\n" in text
    assert 'name = "gradflow-tf"\n' in text
    assert installed.install_command(extra) == f"pip install 'gradflow-tf[{extra}]'"


def test_another_tensorflow_is_another_identity(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given_version(monkeypatch, tensorflow_cpu="2.20.0")
    assert installed.tensorflow_identity() == "2.20.0"

    file = tmp_path / "__init__.py"
    file.touch()
    given_version(monkeypatch, vendors_own="1.0")
    monkeypatch.setattr(installed, "_tensorflow_file", lambda: file)
    assert str(file) in installed.tensorflow_identity()

    monkeypatch.setattr(installed, "_tensorflow_file", lambda: None)
    assert installed.tensorflow_identity() == ""


def test_a_folder_of_that_name_is_no_tensorflow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tensorflow").mkdir()
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    assert not installed.has_tensorflow()


@pytest.mark.usefixtures("without_tensorflow")
def test_a_file_is_read_and_the_remark_says_so() -> None:
    outcome = inspect_path(CUT, Options())

    assert outcome.model.mode is Mode.STATIC
    assert outcome.model.summary.none == 4
    assert outcome.tool.tensorflow is None
    assert outcome.remark == installed.FILES_ARE_READ
    assert inspect_path(CUT, Options(static=True)).remark == ""
    assert inspect_path("nowhere", Options()).remark == ""


@pytest.mark.usefixtures("without_tensorflow")
def test_a_compiled_loss_is_not_read() -> None:
    outcome = inspect_path(str(SAMPLES / "healthy.keras"), Options(objective=Objective.COMPILED))

    assert outcome.model.status is Status.FAILED
    assert outcome.model.error is not None
    assert outcome.model.error.message.endswith("and TensorFlow is not installed")
    assert outcome.model.error.hint == "pip install 'gradflow-tf[tf]'"


@pytest.mark.usefixtures("without_tensorflow")
def test_the_python_api_warns_that_it_reads() -> None:
    with pytest.warns(UserWarning, match="TensorFlow is not installed: files are read") as caught:
        report = gradflow.inspect(HEALTHY)
    assert caught[0].filename == __file__
    assert report.models[0].mode is Mode.STATIC

    with pytest.raises(UsageError, match="an object in memory, and TensorFlow is not installed"):
        gradflow.inspect(object())


def test_the_python_api_warns_of_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    given_version(monkeypatch, tensorflow="2.30.0")

    with pytest.warns(UserWarning, match=r"TensorFlow 2\.30\.0 is newer than 2\.21") as caught:
        report = gradflow.inspect("nowhere")  # what it measures is not asked here
    assert caught[0].filename == __file__
    assert report.models[0].status is Status.FAILED


@pytest.mark.usefixtures("without_tensorflow")
def test_the_fixture_is_not_content_with_reading() -> None:
    with pytest.raises(pytest.fail.Exception, match="no gradient can be measured"):
        Gradflow().assert_flows(HEALTHY)

    assert Gradflow().assert_flows(HEALTHY, static=True).mode is Mode.STATIC


@pytest.mark.usefixtures("without_tensorflow")
def test_check_wants_to_be_told_to_read() -> None:
    line = here("check", HEALTHY).failed_in_one_line()

    assert line.endswith(f"gradflow check --static {HEALTHY}")
    assert here("check", "--static", HEALTHY).code == 0
    frozen = ("--expect-frozen", "backbone/**", "--expect-frozen", "adapter/**")
    model = str(SAMPLES / "finetune.keras")
    assert "check --static" in here("check", *frozen, model).failed_in_one_line()
    assert here("check", "--static", *frozen, model).code == 0
    assert here("check", "--static", "--select", "GF4", *frozen, model).code == 0
    many = here("check", *[HEALTHY + "/" * count for count in range(5)]).failed_in_one_line()
    assert many.endswith("gradflow check --static MODEL...")


@pytest.mark.usefixtures("without_tensorflow")
@pytest.mark.parametrize("command", ["baseline", "init"])
def test_nothing_is_written_of_what_was_only_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    line = here(command, "-o", "new", HEALTHY).failed_in_one_line()

    assert f"TensorFlow is not installed, and {command} measures gradients" in line
    assert line.endswith(f"gradflow {command} --static {HEALTHY}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_tensorflow")
def test_inspect_judges_only_what_it_is_told_to_read() -> None:
    """A Keras file has no graph: read without a word, it would be green whatever is wrong."""
    model = str(SAMPLES / "two_towers.keras")
    line = here("inspect", "--fail-on", "error", model).failed_in_one_line()

    assert "and inspect --fail-on error measures gradients" in line
    assert line.endswith(f"gradflow inspect --fail-on error --static {model}")
    assert here("inspect", "--fail-on", "error", "--static", CUT).code == 1


@pytest.mark.usefixtures("without_tensorflow")
def test_why_and_diff_read_and_say_so() -> None:
    why = here("why", CUT, "document_hidden/bias")
    diff = here("diff", CUT, CUT)

    for done in (why, diff):
        assert done.code == 0
        assert f"gradflow: {installed.FILES_ARE_READ}\n" in done.stderr
        assert done.stderr.count("TensorFlow is not installed") == 1
    assert here("why", "-q", CUT, "document_hidden/bias").stderr == ""


@pytest.mark.usefixtures("without_tensorflow")
@pytest.mark.parametrize("command", ["inspect", "audit", "diff"])
def test_of_several_it_is_said_before_the_first_is_counted(command: str) -> None:
    lines = here(command, CUT, str(SAMPLES / "healthy_saved_model"), "--no-cache").stderr

    assert lines.count(installed.FILES_ARE_READ) == 1
    assert lines.index(installed.FILES_ARE_READ) < lines.index("[1/2]")
