"""What a report says of a step is what the step does to the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import gradflow
from gradflow.findings import ModelReport, Role, Severity, Variable, Verdict
from gradflow.tape.watching.variables import alive, handles_of
from tests.training.mistakes import MISTAKES, Mistake, Training

pytestmark = pytest.mark.tensorflow

_CASES = [
    # Half of the modes by default: the other half takes as long again.
    pytest.param(
        mistake,
        mode,
        id=f"{mistake.name}-{mode}",
        marks=[] if (number + place) % 2 == 0 or len(mistake.modes) == 1 else pytest.mark.slow,
    )
    for number, mistake in enumerate(MISTAKES)
    for place, mode in enumerate(mistake.modes)
]


def _plain(variable: Any) -> Any:
    return getattr(variable, "_value", variable)


def _variables(training: Training) -> dict[str, Any]:
    """Return the variables of a training by the names that a report has for them."""
    return {
        getattr(variable, "path", variable.name).removesuffix(":0"): _plain(variable)
        for part in training.parts
        for variable in getattr(part, "variables", [part])
    }


def _bits(variables: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: np.asarray(item.numpy()).tobytes() for name, item in variables.items()}


def claims_to_move(model: ModelReport, variable: Variable) -> bool:
    about = [finding for finding in model.findings if variable.name in finding.variables]
    if any("an assignment changes" in finding.message for finding in about):
        return True
    if any("all the same" in finding.message for finding in about):
        return True
    if not variable.trainable or variable.verdict is not Verdict.FLOWS:
        return False
    return not any(finding.code in ("GF503", "GF102") for finding in about)


@pytest.mark.parametrize(("mistake", "mode"), _CASES)
def test_the_report_says_which_weights_move(mistake: Mistake, mode: str) -> None:
    keras.utils.set_random_seed(3)
    training = mistake.build(tf.function if mode == "graph" else lambda step: step)
    training.step()
    training.prepare()
    variables = _variables(training)
    kept = [(variable, variable.numpy()) for variable in alive() if handles_of(variable)]

    before = _bits(variables)
    training.step()
    unwatched = _bits(variables)
    for variable, value in kept:
        variable.assign(value)
    models = [part for part in training.parts if hasattr(part, "weights")]
    with gradflow.watch(*models) as watched:
        training.step()
    assert _bits(variables) == unwatched, "a watched step computes the same"

    [model] = watched.report.models
    assert not any("--" in str(finding.hint) for finding in model.findings), "a step has no options"
    weights = [item for item in model.variables if item.role is Role.WEIGHT]
    assert {item.name for item in weights if not item.name.startswith("sum")} <= variables.keys()
    for weight in weights:
        moves = before[weight.name] != unwatched[weight.name]
        assert watched.moved[weight.name] is moves
        assert claims_to_move(model, weight) is moves, weight
        expected = next((code for part, code in training.codes.items() if part in weight.name), "")
        about = {
            finding.code: finding for finding in model.findings if weight.name in finding.variables
        }
        if expected:
            assert expected in about, (weight.name, about)
        else:
            assert moves, weight.name
            assert all(
                finding.severity is Severity.NOTE or finding.code == "GF102"
                for finding in about.values()
            )
