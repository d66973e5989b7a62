"""What gradflow says about SavedModels of TensorFlow 1, of foreign op libraries, of constants, of
many signatures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gradflow
from gradflow.findings import Mode, ModelReport, Status
from tests.agreement.subject import analysed
from tests.cli.command import here

pytestmark = pytest.mark.tensorflow


def report_on(path: Path, **options: object) -> ModelReport:
    return gradflow.inspect(path, **options).models[0]


def verdicts(report: ModelReport) -> dict[str, str]:
    return {variable.name: variable.verdict.value for variable in report.variables}


def test_a_loop_of_tensorflow_1_gets_what_its_session_gives(tmp_path: Path) -> None:
    from tests.models.special_files import save_loop_of_tensorflow_1

    expected = save_loop_of_tensorflow_1(tmp_path / "model")
    report = report_on(tmp_path / "model", static=True)
    assert verdicts(report) == expected == {"a": "flows", "b": "none", "c": "flows"}
    (cause,) = next(variable for variable in report.variables if variable.name == "b").causes
    assert (cause.code, cause.op) == ("GF201", "while/StopGradient")


@pytest.mark.parametrize("static", [True, False])
def test_a_frozen_graph_is_said_to_hold_constants(static: bool, tmp_path: Path) -> None:
    from gradflow.report.text import render
    from tests.models.special_files import save_frozen_graph

    save_frozen_graph(tmp_path)
    report = gradflow.inspect(tmp_path, static=static)
    assert report.models[0].summary.weights == 0
    text = render(report)
    assert "constants" in text
    assert "6 parameters" in text


def test_each_signature_has_its_own_answer(tmp_path: Path) -> None:
    from tests.models.special_files import save_two_signatures

    save_two_signatures(tmp_path)
    found = {
        entry: verdicts(report_on(tmp_path, static=True, entry=entry))
        for entry in ("serving_default", "other", "bare")
    }
    assert found == {
        "serving_default": {"a": "flows", "b": "none"},
        "other": {"a": "none", "b": "flows"},
        "bare": {"a": "none", "b": "none"},
    }


def test_an_op_of_a_foreign_library_is_named_by_a_static_reading(tmp_path: Path) -> None:
    from tests.models.special_files import FOREIGN_OP, save_foreign_op

    save_foreign_op(tmp_path)
    report = report_on(tmp_path, static=True)
    assert verdicts(report) == {"a": "flows", "b": "unknown"}
    assert any(
        FOREIGN_OP in finding.message and "b" in finding.variables for finding in report.findings
    )


@pytest.mark.parametrize("imported", [(), ("--import", "math")])
def test_scan_and_inspect_say_the_same_of_an_op_that_nobody_knows(
    imported: tuple[str, ...], tmp_path: Path
) -> None:
    from tests.models.special_files import FOREIGN_OP, save_foreign_op

    save_foreign_op(tmp_path)
    answers = [
        here(command, str(tmp_path), "--format", "json", *imported)
        for command in ("scan", "inspect")
    ]
    findings = [json.loads(done.stdout)["models"][0]["findings"] for done in answers]
    threats = [[item for item in items if item["code"] == "GF902"] for items in findings]

    assert [done.code for done in answers] == [0 if imported else 2] * 2
    assert threats[0] == threats[1]
    assert bool(threats[0]) is not bool(imported)
    assert all(FOREIGN_OP in item["message"] for item in threats[0])


@pytest.mark.parametrize("kind", ["elements", "iterated", "reduced"])
def test_a_pipeline_of_tensors_is_run(kind: str, tmp_path: Path) -> None:
    from tests.models.special_files import save_pipeline

    expected = save_pipeline(kind, tmp_path)

    assert verdicts(report_on(tmp_path)) == expected


@pytest.mark.parametrize("kind", ["cached", "lines"])
def test_a_pipeline_that_touches_files_is_refused(kind: str, tmp_path: Path) -> None:
    from tests.models.special_files import save_pipeline

    save_pipeline(kind, tmp_path)
    findings = report_on(tmp_path).findings

    assert {finding.code for finding in findings} == {"GF902"}
    op = {"cached": "CacheDatasetV2", "lines": "TextLineDataset"}[kind]
    assert all(f"op {op} " in finding.message for finding in findings)


def test_what_a_module_does_not_bring_is_read_and_says_which_option_could_help(
    tmp_path: Path,
) -> None:
    from tests.models.special_files import FOREIGN_OP, save_foreign_op

    save_foreign_op(tmp_path)
    report = report_on(tmp_path, imports="math")
    assert report.status is Status.ANALYZED
    assert report.mode is Mode.STATIC
    assert verdicts(report) == {"a": "flows", "b": "unknown"}
    (warning,) = (finding for finding in report.findings if finding.code == "GF901")
    assert FOREIGN_OP in warning.message
    assert "imports=" in warning.hint


def test_a_file_is_not_changed_by_the_step(tmp_path: Path) -> None:
    from gradflow.options import Options
    from tests.models.keras_key import KERAS_CASES
    from tests.models.keras_key.case import made

    made(KERAS_CASES["state_that_a_call_changes"]).export(tmp_path, verbose=False)
    before = contents(tmp_path)
    assert analysed(tmp_path, Options()).report.status is Status.ANALYZED
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
