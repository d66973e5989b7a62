"""The answer key of freeze flags: in memory, as Keras file, as export and as a bare SavedModel,
stepped and static."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradflow.findings import Finding, ModelReport, Role, Severity
from gradflow.report.layout import Layout
from gradflow.report.text import render
from tests.agreement.subject import report_on_file, report_on_model
from tests.models.flags import CASES, Case, Told

pytestmark = pytest.mark.tensorflow

DOUBTS = {
    "FROZEN_PARENT": (Severity.NOTE, "trainable under a frozen parent"),
    "RECORD_DIFFERS": (Severity.WARNING, "TFSMLayer will unfreeze"),
    "FORGOTTEN": (Severity.WARNING, "Keras loads them as trainable"),
    "NOT_RECORDED": (Severity.NOTE, "records no freeze flags"),
    "RELOADED": (Severity.WARNING, "that TFSMLayer 'reloaded' loaded"),
}
"""The severity and some words of the finding for each doubt."""


def _cases(kind: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{case.scenario} {name}")
        for name, case in CASES.items()
        if kind in case.kinds
    ]


@pytest.fixture(autouse=True)
def names_begin_anew() -> None:
    """Keras counts the names of what has none, whichever tests came before in this process."""
    import keras

    keras.backend.clear_session()


@pytest.mark.parametrize("case", _cases("memory"))
def test_in_memory(case: Case) -> None:
    model = case.build()
    report = report_on_model(model)
    _hold(report, case, case.memory, case.frozen)
    assert _trainable(report) == {variable.path for variable in model.trainable_variables}


@pytest.mark.parametrize("case", _cases("keras"))
def test_as_keras_file(case: Case, tmp_path: Path) -> None:
    _hold_file(case, tmp_path / "m.keras")


@pytest.mark.parametrize("case", _cases("h5"))
def test_as_h5_file(case: Case, tmp_path: Path) -> None:
    _hold_file(case, tmp_path / "m.h5")


@pytest.mark.parametrize("case", _cases("export"))
def test_as_export(case: Case, tmp_path: Path) -> None:
    import keras

    case.build().export(tmp_path, verbose=False)
    loaded = keras.layers.TFSMLayer(tmp_path, call_endpoint="serving_default").trainable_variables
    names = {variable.name.removesuffix(":0") for variable in loaded}
    del loaded
    for static in (False, True):
        report = _report(tmp_path, static)
        _hold(report, case, case.export, dict.fromkeys(case.frozen))
        # What is said of TFSMLayer is what it does.
        expected = _trainable(report) | set(case.export.get("GF103", ()))
        unfrozen = names - {name.replace("/", "_") for name in expected}
        differing = case.export.get("RECORD_DIFFERS", ())
        assert unfrozen == {name.replace("/", "_") for name in differing}


@pytest.mark.parametrize("case", _cases("saved"))
def test_as_a_bare_saved_model_all_flags_are_lost(case: Case, tmp_path: Path) -> None:
    import tensorflow as tf

    tf.saved_model.save(case.build(), str(tmp_path))
    for static in (False, True):
        _hold(_report(tmp_path, static), case, {"NOT_RECORDED": ()}, {})


def test_u37_a_layer_around_an_export_says_what_it_unfroze(tmp_path: Path) -> None:
    import keras

    case = CASES["submodel_is_frozen"]
    case.build().export(tmp_path, verbose=False)
    reloaded = keras.layers.TFSMLayer(tmp_path, call_endpoint="serve", name="reloaded")
    inputs = keras.Input([6])
    report = report_on_model(keras.Model(inputs, reloaded(inputs)))
    (finding,) = _flags(report)
    _hold_finding(finding, "RELOADED", tuple(f"{name.replace('/', '_')}:0" for name in case.frozen))
    assert set(finding.variables) < _trainable(report)


def test_u29_a_frozen_layer_of_ones_own_that_keras_loads_trainable(tmp_path: Path) -> None:
    import keras

    from tests.models.flags import Block

    model = keras.Sequential([keras.Input([6]), Block(name="block"), keras.layers.Dense(2)])
    model.get_layer("block").trainable = False
    assert len(model.trainable_variables) == 2
    model.save(tmp_path / "m.keras")
    report = _report(tmp_path / "m.keras", static=False)
    (finding,) = _flags(report)
    # The file itself has numbers in place of the names of layers that it does not know.
    leaves = {"dense/kernel", "dense/bias", "norm/gamma", "norm/beta"}
    _hold_finding(finding, "FORGOTTEN", tuple(f"block/{leaf}" for leaf in leaves))
    assert set(finding.variables) < _trainable(report)


def test_u27_a_variable_of_another_entry_only_is_not_told(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    model, raw = CASES["nothing_is_frozen"].build(), tf.Variable([1.0] * 2, name="raw")
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec([None, 6], tf.float32, name="x")]
    archive.add_endpoint("serve", lambda x: model(x), input_signature=signature)
    archive.add_endpoint("scaled", lambda x: model(x) * raw, input_signature=signature)
    archive.write_out(tmp_path, verbose=False)
    from gradflow.analysis.static import read
    from gradflow.options import Options

    serve, scaled = (
        read(str(tmp_path), Options(static=True, entry=entry)).report
        for entry in ("serve", "scaled")
    )
    assert "raw" not in {variable.name for variable in serve.variables}
    assert _flags(serve) == []
    (finding,) = _flags(scaled)
    _hold_finding(finding, "GF103", ("raw",))


def test_untracked_weights_stand_apart_from_frozen_ones() -> None:
    model = CASES["raw_variable_is_an_attribute_of_a_layer"].build()
    model.get_layer("a").trainable = False
    report = report_on_model(model)
    text = render(_whole(report), Layout(width=100, show_all=True))
    assert ": all 2 trainable weights receive a gradient, 2 frozen, 1 untracked\n" in text
    assert "note GF101: frozen: 2 weights," in text
    assert "    scale  raw  1 weight, 6 parameters\n" in text
    (row,) = [line for line in text.splitlines() if line.startswith("  raw ")]
    assert row.split()[2:4] == ["flows", "untracked"]


def test_untracked_weights_of_one_name_are_told_apart() -> None:
    import keras
    import tensorflow as tf

    one, other = tf.Variable([1.0] * 6, name="raw"), tf.Variable([2.0] * 6, name="raw")
    model = keras.Sequential([keras.Input([6]), keras.layers.Lambda(lambda x: x * one + other)])
    report = report_on_model(model)
    assert [variable.name for variable in report.variables] == ["raw", "raw#2"]
    assert {variable.verdict.value for variable in report.variables} == {"flows"}
    assert render(_whole(report)).splitlines()[0].endswith(": no weight is trained, 2 untracked")


def test_an_untracked_weight_behind_a_cut_has_its_cause() -> None:
    import keras
    import tensorflow as tf

    raw = tf.Variable([1.0] * 6, name="raw")
    body = keras.layers.Lambda(lambda x: tf.stop_gradient(x * raw))
    report = report_on_model(
        keras.Sequential([keras.Input([6]), body, keras.layers.Dense(2, name="head")])
    )
    variable = next(variable for variable in report.variables if variable.name == "raw")
    assert (variable.verdict.value, [cause.code for cause in variable.causes]) == (
        "none",
        ["GF201"],
    )
    assert [finding.code for finding in report.findings] == ["GF103"]


def _hold_file(case: Case, path: Path) -> None:
    """Hold both ways of asking: on the tape and static."""
    from tests.models.oracle import trainable_after_loading

    case.build().save(path)
    updated = {name for name, trainable in trainable_after_loading(path).items() if trainable}
    for static in (False, True):
        report = _report(path, static)
        # A static reading sees what the file stores: of an untracked variable nothing.
        told = {code: names for code, names in case.files.items() if not static or code != "GF103"}
        _hold(report, case, told, case.frozen)
        assert _trainable(report) == updated


def _hold(report: ModelReport, case: Case, told: Told, frozen: dict[str, str | None]) -> None:
    assert report.error is None
    left_alone = {
        v.name: v.frozen_by for v in report.variables if v.role is Role.WEIGHT and not v.trainable
    }
    assert left_alone == {**frozen, **dict.fromkeys(told.get("GF103", ()))}
    assert {
        variable.name for variable in report.variables if variable.role is Role.STATE
    } <= case.state
    findings = _flags(report)
    assert len(findings) == len(told), findings
    for finding, (what, names) in zip(findings, told.items(), strict=True):
        _hold_finding(finding, what, names)
    named = {
        name for finding in report.findings if finding.code == "GF101" for name in finding.variables
    }
    assert named == set(frozen)


def _hold_finding(finding: Finding, what: str, names: tuple[str, ...]) -> None:
    assert set(finding.variables) == set(names)
    if what == "GF103":
        assert (finding.code, finding.severity) == ("GF103", Severity.ERROR)
        assert "no optimizer will ever see" in finding.message
        return
    severity, words = DOUBTS[what]
    assert (finding.code, finding.severity) == ("GF102", severity)
    assert words in finding.message
    assert "\n" not in finding.message
    assert finding.hint


def _flags(report: ModelReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.code in ("GF102", "GF103")]


def _trainable(report: ModelReport) -> set[str]:
    return {variable.name for variable in report.variables if variable.trainable}


def _report(path: Path, static: bool) -> ModelReport:
    from gradflow.analysis.static import read
    from gradflow.options import Options

    report = read(str(path), Options(static=True)).report if static else report_on_file(path)
    assert isinstance(report, ModelReport), report
    return report


def _whole(model: ModelReport) -> Any:
    from gradflow.findings import Report, Tool

    return Report(Tool("gradflow", "0.1.0", None, None), (model,))
