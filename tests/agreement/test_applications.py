"""Every architecture of keras.applications: the tape's word for each weight, and nothing to
complain about."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradflow.findings import Failure, ModelReport, Severity
from tests.agreement.compare import Score, compare_with_tape
from tests.agreement.subject import report_on_file, report_on_model

pytestmark = pytest.mark.tensorflow

ARCHITECTURES = (
    "ConvNeXtTiny ConvNeXtSmall ConvNeXtBase ConvNeXtLarge ConvNeXtXLarge DenseNet121 "
    "DenseNet169 DenseNet201 "
    "EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 EfficientNetB4 EfficientNetB5 "
    "EfficientNetB6 "
    "EfficientNetB7 EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 "
    "EfficientNetV2S "
    "EfficientNetV2M EfficientNetV2L InceptionResNetV2 InceptionV3 MobileNet MobileNetV2 "
    "MobileNetV3Small "
    "MobileNetV3Large NASNetMobile NASNetLarge ResNet50 ResNet101 ResNet152 ResNet50V2 "
    "ResNet101V2 ResNet152V2 "
    "VGG16 VGG19 Xception"
).split()
FLOORS = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
"""The smallest images that these take; 64 pixels a side for all others."""
_LARGER = ("MobileNetV3Small", "ResNet50")


@pytest.mark.parametrize(
    "name",
    ["MobileNetV2", *(pytest.param(name, marks=pytest.mark.slow) for name in _LARGER)],
)
@pytest.mark.parametrize("kind", ["memory", "keras"])
def test_small_architectures_agree_and_have_no_findings(
    name: str, kind: str, tmp_path: Path
) -> None:
    _assert_agreement(run_architecture(name, kind, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", "export"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_agrees_and_has_no_findings(
    name: str, kind: str, tmp_path: Path
) -> None:
    _assert_agreement(run_architecture(name, kind, tmp_path))


def run_architecture(name: str, kind: str, folder: Path) -> Score:
    """Build the architecture with random weights and hold gradflow's report against the tape."""
    import keras

    from tests.models.oracle import measure_file, measure_model
    from tests.models.planted import save

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    side = FLOORS.get(name, 64)
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(side, side, 3), classes=10)
    if kind == "memory":
        report: ModelReport | Failure = report_on_model(model)
        path = None
    else:
        folder.mkdir(parents=True, exist_ok=True)
        path = save(model, folder, kind)
        report = report_on_file(path)
    if isinstance(report, Failure):
        return Score(models=1, complaints=[f"not analysed: {report.message}"])
    score = compare_with_tape(
        report,
        lambda seed: measure_file(path, seed=seed) if path else measure_model(model, seed=seed),
    )
    if score.weights != len(model.trainable_variables):
        score.complaints.append(
            f"{score.weights} weights reported, the model has {len(model.trainable_variables)}"
        )
    for finding in report.findings:
        # A bias before a BatchNorm gets rounding noise, and is noted.
        if finding.severity is not Severity.NOTE:
            score.complaints.append(f"finding {finding.code}: {finding.message}")
    return score


def _assert_agreement(score: Score) -> None:
    print(score.line())
    assert score.complaints == []
    assert score.agreed == score.weights > 0
