"""The sample models show what sample_models/README.md says, in all three formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradflow.findings import ModelReport, Role, Variable
from tests.agreement.compare import compare_with_tape
from tests.agreement.subject import report_on_file

pytestmark = pytest.mark.tensorflow

SAMPLES = Path(__file__).parents[2] / "sample_models"
FORMATS = (".keras", ".h5", "_saved_model")
CUT_OFF = {"two_towers": ("document_hidden", "document_embedding"), "argmax": ("router",)}
"""The layers without a gradient."""
CAUSES = {
    "two_towers": ("GF201", "StopGradient", None),
    "two_towers.h5": ("GF202", "Cast", "Cast"),
    "argmax": ("GF202", "ArgMax", "one_hot"),
    "argmax.h5": ("GF202", "Bucketize", None),
}
"""Code, op type, and a word in the name of the op where the data comes back."""
FROZEN = {"stem": "backbone", "norm": "backbone", "block": "backbone", "adapter": "adapter"}


def _report(file: str) -> ModelReport:
    report = report_on_file(SAMPLES / file)
    assert isinstance(report, ModelReport), report
    return report


def _weights(report: ModelReport) -> dict[str, list[Variable]]:
    """The weights of each layer, by the last segment of its path."""
    layers: dict[str, list[Variable]] = {}
    for variable in report.variables:
        if variable.role is Role.WEIGHT:
            layers.setdefault(variable.name.split("/")[-2], []).append(variable)
    return layers


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["finetune", "two_towers", "argmax", "healthy"])
def test_verdicts_are_those_of_the_readme_and_of_the_tape(name: str, format: str) -> None:
    from tests.models.oracle import measure_file

    report = _report(name + format)
    verdicts = {
        layer: {one.verdict.value for one in weights} for layer, weights in _weights(report).items()
    }
    cut_off = CUT_OFF.get(name, ())
    assert verdicts == {layer: {"none" if layer in cut_off else "flows"} for layer in verdicts}
    assert set(cut_off) <= verdicts.keys()
    score = compare_with_tape(
        report, lambda seed: measure_file(SAMPLES / (name + format), seed=seed)
    )
    assert score.complaints == []
    assert score.agreed == score.weights > 0


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["two_towers", "argmax"])
def test_one_cut_is_named_for_every_weight_behind_it(name: str, format: str) -> None:
    code, op_type, back = CAUSES.get(name + format, CAUSES[name])
    weights = _weights(_report(name + format))
    for variable in (one for layer in CUT_OFF[name] for one in weights[layer]):
        (cause,) = variable.causes
        assert (cause.code, cause.op_type) == (code, op_type)
        assert back is None or back in str(cause.reenters_at)
        assert variable.cuts_to_restore == 1
        assert cause.op in variable.path


@pytest.mark.parametrize("format", FORMATS)
def test_frozen_layers_of_finetune_are_named(format: str) -> None:
    weights = _weights(_report(f"finetune{format}"))
    for layer, ones in weights.items():
        for variable in ones:
            assert variable.trainable == (layer not in FROZEN), variable.name
            if format != "_saved_model":
                assert variable.frozen_by == FROZEN.get(layer), variable.name


@pytest.mark.parametrize("format", FORMATS)
def test_healthy_has_no_findings(format: str) -> None:
    assert _report(f"healthy{format}").findings == ()
