"""Models of Keras 2, in memory and in both of its formats: gradflow says what the tape says, and
who loaded them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gradflow
from gradflow.findings import ModelReport, Role, Status, Verdict
from tests.agreement.compare import compare_with_tape
from tests.agreement.subject import report_on_file
from tests.models.keras_layouts import Rename, of_keras_2_13, of_windows, replace_weights

if TYPE_CHECKING:
    from tests.models.oracle import Measured

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        importlib.util.find_spec("tf_keras") is None, reason="tf_keras (Keras 2) is not installed"
    ),
]
NAMES = (
    "sequential sequential_built_late three_of_a_kind stopped rounded unused_head "
    "nested_and_frozen all_frozen shared "
    "named_inputs_and_outputs words stateful video images attention over_one_feature adapted "
    "half_precision trained"
).split()
LONG = frozenset({"words", "video", "trained"})
LOADED_BY_KERAS_3 = frozenset({"h5"})
"""What Keras 3 may read by itself."""


def held(report: ModelReport, measured: dict[int, dict[str, list[Measured]]]) -> None:
    """The verdicts agree with the tape in all of it."""
    score = compare_with_tape(report, measured.__getitem__)
    assert score.complaints == []
    assert score.agreed == score.weights > 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(
            name, kind, marks=[pytest.mark.slow] if kind != "keras" or name in LONG else []
        )
        for name in NAMES
        for kind in ("memory", "keras", "h5")
    ],
)
def test_verdicts_and_flags_are_those_of_keras_2(name: str, kind: str, tmp_path: Path) -> None:
    import tf_keras

    from tests.models.keras2_models import KERAS2_MODELS
    from tests.models.oracle2 import load_keras2, measure_keras2, trainable_names

    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(0)
    model = KERAS2_MODELS[name]()
    if kind == "memory":
        report = gradflow.inspect(model).models[0]
        producer = f"tf_keras {tf_keras.__version__}"
    else:
        path = tmp_path / f"model.{kind}"
        model.save(path)
        tf_keras.backend.clear_session()
        model = load_keras2(path)
        tf_keras.backend.clear_session()
        found = report_on_file(path)
        assert isinstance(found, ModelReport), found
        report, producer = found, f"keras {tf_keras.__version__}"
    assert (report.status, report.producer) == (Status.ANALYZED, producer)
    if kind in LOADED_BY_KERAS_3 and "loaded by tf_keras" not in str(report.entry):
        return  # held against Keras 3 elsewhere
    assert report.mode.value == "tape", report.findings
    held(report, {seed: measure_keras2(model, seed=seed) for seed in range(3)})
    trained = {variable.name for variable in report.variables if variable.trainable}
    assert trained == trainable_names(model)
    frozen = [one for one in report.variables if one.role is Role.WEIGHT and not one.trainable]
    assert all(one.frozen_by is not None for one in frozen)
    assert len(report.variables) == len(model.weights)


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_the_layer_and_the_op_of_a_cut_are_named(kind: str, tmp_path: Path) -> None:
    import tf_keras

    from tests.models.keras2_models import KERAS2_MODELS

    tf_keras.backend.clear_session()
    KERAS2_MODELS["stopped"]().save(tmp_path / f"model.{kind}")
    report = report_on_file(tmp_path / f"model.{kind}")
    assert isinstance(report, ModelReport)
    assert report.entry == f"call(training=True), loaded by tf_keras {tf_keras.__version__}"
    verdicts = {variable.name: variable.verdict for variable in report.variables}
    assert [name for name, verdict in verdicts.items() if verdict is not Verdict.FLOWS] == [
        "stopped/kernel",
        "stopped/bias",
    ]
    causes = {cause for variable in report.variables for cause in variable.causes}
    assert {(cause.code, cause.op_type, cause.layer) for cause in causes} == {
        ("GF201", "StopGradient", "tf.stop_gradient")
    }


def test_the_outermost_frozen_layer_is_named() -> None:
    import tf_keras

    from tests.models.keras2_models import KERAS2_MODELS

    tf_keras.backend.clear_session()
    report = gradflow.inspect(KERAS2_MODELS["nested_and_frozen"]()).models[0]
    frozen = {
        variable.name: variable.frozen_by for variable in report.variables if variable.frozen_by
    }
    assert set(frozen.values()) == {"inner"}
    assert len(frozen) == 4


def test_a_normalization_over_one_feature_is_named_fused_or_not() -> None:
    import tf_keras

    from tests.models.keras2_models import KERAS2_MODELS

    tf_keras.backend.clear_session()
    report = gradflow.inspect(KERAS2_MODELS["over_one_feature"]()).models[0]
    for name in ("behind_plain/kernel", "behind_fused/kernel"):
        (told,) = (finding.message for finding in report.findings if name in finding.variables)
        assert "ends a normalization over an axis of size 1" in told


@pytest.mark.parametrize("rename", [of_keras_2_13, of_windows])
def test_weights_are_found_where_older_versions_placed_them(rename: Rename, tmp_path: Path) -> None:
    import tf_keras

    from tests.models.keras2_models import KERAS2_MODELS

    tf_keras.backend.clear_session()
    path = tmp_path / "model.keras"
    KERAS2_MODELS["three_of_a_kind"]().save(path)
    replace_weights(path, tmp_path / "older.keras", rename)
    reports = []
    for one in (path, tmp_path / "older.keras"):
        tf_keras.backend.clear_session()
        report = report_on_file(one)
        assert isinstance(report, ModelReport)
        assert "loaded by tf_keras" in str(report.entry)
        static = gradflow.inspect(one, static=True).models[0]
        assert [variable.shape for variable in static.variables] == [
            (4, 4),
            (4,),
            (4, 5),
            (5,),
            (5, 6),
            (6,),
        ]
        assert [variable.frozen_by for variable in static.variables] == [
            "first",
            "first",
            None,
            None,
            None,
            None,
        ]
        reports.append((report.variables, static.variables))
    assert reports[0] == reports[1]


def test_a_lambda_is_not_run(tmp_path: Path) -> None:
    import tf_keras

    tf_keras.backend.clear_session()
    x = tf_keras.Input([3])
    marker = str(tmp_path / "it_was_run")
    spoiled = tf_keras.layers.Lambda(lambda value, name=marker: (Path(name).touch(), value)[1])(x)
    model = tf_keras.Model(x, tf_keras.layers.Dense(2)(spoiled))
    for name in ("model.h5", "model.keras"):
        model.save(tmp_path / name)
        Path(marker).unlink(missing_ok=True)
        report = gradflow.inspect(tmp_path / name).models[0]
        assert report.error is not None
        assert report.error.code == "GF902"
        assert "Lambda" in report.error.message
        assert "trust=True" in report.error.hint
        assert not Path(marker).exists()


def test_without_tf_keras_its_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tf_keras

    from gradflow.tape.load import keras2 as keras2_model
    from tests.models.keras2_models import KERAS2_MODELS

    tf_keras.backend.clear_session()
    KERAS2_MODELS["three_of_a_kind"]().save(tmp_path / "model.keras")
    monkeypatch.setattr(keras2_model, "is_installed", lambda: False)
    report = report_on_file(tmp_path / "model.keras")
    assert isinstance(report, ModelReport)
    assert report.mode.value == "static"
    assert any("pip install 'gradflow-tf[keras2]'" in finding.hint for finding in report.findings)


def test_a_vocabulary_is_no_variable(tmp_path: Path) -> None:
    """tf_keras lists the tables of lookup layers among the weights."""
    import tf_keras

    from tests.models.keras2_models import text

    model = text()
    model.save(tmp_path / "model.keras")
    tf_keras.backend.clear_session()
    for report in (report_on_file(tmp_path / "model.keras"), gradflow.inspect(model).models[0]):
        assert isinstance(report, ModelReport), report
        assert [variable.name for variable in report.variables] == [
            "words/embeddings",
            "head/kernel",
            "head/bias",
        ]
        assert {variable.verdict.value for variable in report.variables} == {"flows"}
