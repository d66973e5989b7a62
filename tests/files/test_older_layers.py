"""Layers as Keras 1 and early Keras 2 describe them are those that the layer table knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gradflow.analysis.static import read
from gradflow.files.keras.older_layers import modern_class, modern_options
from gradflow.findings import Role, Verdict
from gradflow.ops.layer_rows import Behaviour, Call, Kind, behaviour
from gradflow.options import Objective, Options

DATA = Path(__file__).parent / "data"
KERAS_1: dict[str, dict[str, Any]] = json.loads((DATA / "keras1_layers.json").read_text())
SEVERAL_INPUTS = Call(((0, 0), (0, 1)))


def known(class_name: str, options: dict[str, Any]) -> Behaviour | None:
    key = modern_class(class_name, options)
    call = SEVERAL_INPUTS if class_name == "Merge" else Call()
    return behaviour(key, modern_options(class_name, options), call, training=True)


@pytest.mark.parametrize("name", KERAS_1)
def test_every_layer_of_keras_1_is_known(name: str) -> None:
    found = known(name.partition(" ")[0], KERAS_1[name])
    assert found is not None
    assert not any(step.kind is Kind.UNKNOWN for way in found.passages for step in way.steps)


@pytest.mark.parametrize(
    ("class_name", "key", "sizes"),
    [
        ("MaxPooling2D", "pool_size", [2, [2], [2, 2], [2, 2, 2], None]),
        ("MaxPooling2D", "strides", [1, [1, 1], None]),
        ("Conv2D", "kernel_size", [3, [3], [3, 3]]),
        ("ConvLSTM2D", "dilation_rate", [2, [2, 2], None]),
        ("ZeroPadding2D", "padding", [1, [1, 1], [[1, 2], [3, 4]]]),
        ("BatchNormalization", "axis", [-1, [3], [1, 2, 3]]),
        ("Embedding", "input_length", [7, [7, 8], None]),
        ("UpSampling1D", "size", [3, [3], None]),
        ("Dot", "axes", [1, [1, 2]]),
    ],
)
def test_a_size_is_a_number_or_any_list_of_numbers(
    class_name: str, key: str, sizes: list[Any]
) -> None:
    call = SEVERAL_INPUTS if class_name == "Dot" else Call()
    for size in sizes:
        assert behaviour(class_name, {key: size}, call, training=True) is not None, size


def test_a_function_of_ones_own_is_unknown_under_its_old_name_too() -> None:
    lstm = known("LSTM", {**KERAS_1["LSTM"], "inner_activation": "of_my_own"})
    assert lstm is not None
    assert any(step.kind is Kind.UNKNOWN for way in lstm.passages for step in way.steps)
    assert known("Merge", {"mode": "of_my_own", "mode_type": "function"}) is None


@pytest.mark.parametrize(("file", "count"), [("keras1_functional.h5", 32), ("keras1_merge.h5", 10)])
def test_a_file_of_keras_1_tells_the_verdict_of_every_weight(file: str, count: int) -> None:
    report = read(str(DATA / file), Options(static=True, objective=Objective.OUTPUTS)).report
    verdicts = [variable.verdict for variable in report.variables if variable.role is Role.WEIGHT]
    assert verdicts == [Verdict.FLOWS] * count


def test_a_file_of_keras_2_tells_cells_and_directions_apart() -> None:
    report = read(str(DATA / "keras2_recurrent.h5"), Options(static=True)).report
    verdicts = {variable.name: variable.verdict for variable in report.variables}
    unused = {name for name in verdicts if name.startswith("both/backward_lstm_1/")}
    assert len(unused) == 3
    assert {name for name, verdict in verdicts.items() if verdict is Verdict.NONE} == unused
    assert set(verdicts.values()) == {Verdict.NONE, Verdict.FLOWS}
    assert {"cells/kernel", "cells/kernel_1", "around/backward_rnn_1/bias"} < set(verdicts)
