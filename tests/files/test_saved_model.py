"""What saved_model.pb says about entries, variables and freezing, without TensorFlow."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradflow.analysis.static import read
from gradflow.errors import GradflowError, UnreadableError
from gradflow.files.recognise import recognise
from gradflow.files.saved_model.choose_entry import choose_entry
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.findings import Role, Verdict
from gradflow.options import Options
from tests.examples import examples

SAMPLES = Path(__file__).parents[2] / "sample_models"
KERAS2 = Path(__file__).parent / "data" / "keras2_frozen"


def test_keras_2_names_the_outermost_frozen_layer() -> None:
    weights = {
        variable.name: variable for variable in read_saved_model(recognise(KERAS2))[0].variables
    }
    assert {name: (weight.trainable, weight.frozen_by) for name, weight in weights.items()} == {
        "stem/kernel": (False, "backbone"),
        "stem/bias": (False, "backbone"),
        "deep/kernel": (False, "backbone"),
        "deep/bias": (False, "backbone"),
        "adapter/kernel": (False, "adapter"),
        "adapter/bias": (False, "adapter"),
        "head/kernel": (True, None),
        "head/bias": (True, None),
    }


def test_a_keras_3_export_knows_what_is_frozen_but_not_by_whom() -> None:
    variables = read_saved_model(recognise(SAMPLES / "finetune_saved_model"))[0].variables
    frozen = [
        variable
        for variable in variables
        if variable.role is Role.WEIGHT and not variable.trainable
    ]
    assert len(frozen) == 8
    assert {variable.frozen_by for variable in frozen} == {None}


def test_each_variable_of_an_export_stands_once() -> None:
    names = [
        variable.name
        for variable in read_saved_model(recognise(SAMPLES / "healthy_saved_model"))[0].variables
    ]
    assert len(names) == len(set(names)) == 9


def test_an_unknown_entry_is_told_with_the_known_ones() -> None:
    graphs = read_saved_model(recognise(SAMPLES / "healthy_saved_model"))
    choice = choose_entry(graphs, "m", None, training=True)
    assert choice is not None
    assert choice[1].label == "serving_default"
    with pytest.raises(UnreadableError) as caught:
        choose_entry(graphs, "m", "serve_me", training=True)
    assert "serving_default" in caught.value.hint


@settings(max_examples=examples(100))
@given(st.data())
def test_a_damaged_file_is_refused_in_one_line_or_read(data: st.DataObject) -> None:
    graph = bytearray((SAMPLES / "argmax_saved_model" / "saved_model.pb").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(graph) - 1))
        graph[place] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "saved_model.pb").write_bytes(
            bytes(graph[: data.draw(st.integers(1, len(graph)))])
        )
        try:
            report = read(folder, Options(static=True)).report
        except GradflowError as error:
            assert error.message
            assert "\n" not in error.message
        else:
            assert all(variable.verdict is not Verdict.NONFINITE for variable in report.variables)
