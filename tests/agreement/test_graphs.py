"""SavedModels of TensorFlow 1: every verdict is what ``tf.gradients`` gives in a session of the
bare script."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gradflow.findings import Mode, ModelReport, Role, Severity
from gradflow.options import Options
from tests.agreement.compare import compare_with_tape
from tests.agreement.subject import analysed

if TYPE_CHECKING:
    from tests.models.graphs import Built  # imports TensorFlow

pytestmark = pytest.mark.tensorflow


def report_on(path: Path, **options: Any) -> ModelReport:
    return analysed(path, Options(**options)).report


def report_on_file_alone(path: Path) -> ModelReport:
    from gradflow.analysis.static import read

    return read(str(path), Options(static=True)).report


def codes(report: ModelReport) -> dict[str, list[str]]:
    weights = [one for one in report.variables if one.role is Role.WEIGHT]
    return {one.name: [one.verdict.value, *(cause.code for cause in one.causes)] for one in weights}


def saved(folder: Path, build: Callable[[], Built]) -> Path:
    from tests.models.graphs import save_graph

    save_graph(folder / "model", build)
    return folder / "model"


def agreeing(path: Path) -> ModelReport:
    """The report on ``path``, which was measured and agrees with the bare session."""
    from tests.models.oracle import measure_file

    report = report_on(path)
    assert report.mode is Mode.TAPE
    score = compare_with_tape(
        report, lambda seed: measure_file(path, None, report.entry or "", seed)
    )
    assert score.complaints == []
    return report


EXPECTED = {
    "references": {"kept": ["flows"], "stopped": ["none", "GF201"], "unused": ["none", "GF206"]},
    "resources": {"kept": ["flows"], "stopped": ["none", "GF202"], "unused": ["none", "GF206"]},
    "trained_with_adam": {"layer/w": ["flows"], "layer/b": ["flows"]},
    "partitioned": {"tower/w/part_0": ["flows"], "tower/w/part_1": ["flows"]},
    "table_and_embedding": {"rows": ["flows"]},
    "complex_output": {"a": ["flows"], "b": ["flows"]},
    "borrowed_gradients": {
        "opened": ["flows"],
        "stopped": ["none", "GF205"],
        "zero": ["zero", "GF301"],
        "b": ["flows"],
    },
    "loop": {"inside": ["flows"], "limit": ["none", "GF202"]},
    "loop_without_backpropagation": {"inside": ["none", "GF207"], "around": ["flows"]},
    "scan": {"w": ["flows"]},
    "inner_feed": {"before": ["none", "GF206"], "after": ["flows"]},
    "normalized": {"bn/gamma": ["flows"]},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_graph_gets_what_its_session_gives(name: str, tmp_path: Path) -> None:
    from tests.models import graphs

    path = saved(tmp_path, getattr(graphs, name))
    assert codes(agreeing(path)) == EXPECTED[name]
    assert codes(report_on_file_alone(path)) == EXPECTED[name]


def test_a_dead_unit_beside_a_loop_is_told(tmp_path: Path) -> None:
    from tests.models import graphs

    report = agreeing(saved(tmp_path, graphs.loop_beside_dead))
    assert codes(report) == {
        "inside": ["flows"],
        "dead": ["zero", "GF303"],
        "around": ["flows"],
    }
    causes = {variable.name: variable.causes for variable in report.variables}
    assert [cause.op_type for cause in causes["dead"]] == ["Relu"]


@pytest.mark.parametrize("name", ["loop", "scan"])
def test_a_loop_that_is_a_function_is_measured(name: str, tmp_path: Path) -> None:
    from tests.models import graphs

    graphs.save_graph(tmp_path / "model", getattr(graphs, name), is_old=False)
    report = report_on(tmp_path / "model")
    assert report.mode is Mode.TAPE
    assert codes(report) == EXPECTED[name]


def test_the_parts_of_a_sparse_input_are_made_to_agree(tmp_path: Path) -> None:
    from tests.models import graphs

    report = report_on(saved(tmp_path, graphs.sparse))
    assert codes(report) == {"w": ["flows"]}
    assert [one.name for one in report.inputs] == ["x/indices", "x/values", "x/dense_shape"]


def test_a_bias_before_a_normalization_by_the_batch_is_a_note(tmp_path: Path) -> None:
    from tests.models import graphs

    report = agreeing(saved(tmp_path, graphs.normalized_by_the_batch))
    # Rounding decides whether noise or exact zeros arrive, and whether the noise is small enough to
    # be told.
    assert all(
        one.severity is Severity.NOTE and one.variables == ("bias",) for one in report.findings
    )
    assert codes(report)["kernel"] == ["flows"]


def test_a_bias_before_a_normalization_that_is_written_out_is_a_note(tmp_path: Path) -> None:
    from tests.models import graphs

    report = agreeing(saved(tmp_path, graphs.shifted_before_moments))
    assert all(
        one.severity is Severity.NOTE and one.variables == ("bias",) for one in report.findings
    )
    assert {name: found[0] for name, found in codes(report).items() if name != "bias"} == {
        "w": "flows",
        "beta": "flows",
        "kept": "flows",
    }


@pytest.mark.parametrize("resource", [False, True], ids=["reference", "resource"])
def test_what_a_zero_head_hides_is_a_note_and_what_is_dead_is_not(
    resource: bool, tmp_path: Path
) -> None:
    from tests.models import graphs

    report = agreeing(saved(tmp_path, graphs.zero_head(resource)))
    assert codes(report) == {
        "body": ["zero", "GF303"],
        "dead": ["zero", "GF303"],
        "head": ["flows"],
    }
    assert {(one.severity, one.variables) for one in report.findings} == {
        (Severity.NOTE, ("body",)),
        (Severity.WARNING, ("dead",)),
    }
    assert next(one for one in report.findings if one.severity is Severity.NOTE).message.endswith(
        "the first update of a weight of zeros: head"
    )


def test_only_what_an_update_lifts_is_a_note(tmp_path: Path) -> None:
    from tests.models import graphs

    report = agreeing(saved(tmp_path, graphs.zeros_in_a_row))
    severities = {name: one.severity for one in report.findings for name in one.variables}
    assert severities == {
        "body": Severity.NOTE,
        "middle": Severity.NOTE,
        "left": Severity.WARNING,
        "right": Severity.WARNING,
    }


def test_a_part_of_an_embedding_without_a_row_that_is_looked_up_is_a_note(tmp_path: Path) -> None:
    from tests.models import graphs

    report = agreeing(saved(tmp_path, graphs.partitioned_embedding))
    assert [(one.severity, one.variables) for one in report.findings] == [
        (Severity.NOTE, ("part_2",))
    ]


def test_slots_of_an_optimizer_are_no_weights_though_no_collection_says_so(tmp_path: Path) -> None:
    from tests.models.graphs import save_without_collections

    save_without_collections(tmp_path / "model")
    assert codes(report_on(tmp_path / "model")) == EXPECTED["trained_with_adam"]


def test_parts_of_a_variable_belong_to_the_layer_of_the_whole(tmp_path: Path) -> None:
    from tests.models import graphs

    report = agreeing(saved(tmp_path, graphs.partitioned))
    assert {one.layer for one in report.variables} == {"tower"}


def test_an_embedding_says_how_many_rows_were_looked_up(tmp_path: Path) -> None:
    from tests.models import graphs

    (rows,) = agreeing(saved(tmp_path, graphs.table_and_embedding)).variables
    assert rows.gradient is not None
    assert rows.gradient.rows_touched == 4, "the words of the table are fed, not any word"


@pytest.mark.parametrize("resource", [False, True], ids=["reference", "resource"])
def test_a_branch_that_was_not_taken_is_told_from_a_unit_that_is_dead(
    resource: bool, tmp_path: Path
) -> None:
    from tests.models import graphs

    report = report_on(saved(tmp_path, graphs.branches(resource)))
    assert codes(report) == {
        "first": ["zero", "GF302"],
        "second": ["flows"],
        "dead": ["zero", "GF303"],
    }
    (cause,) = next(one for one in report.variables if one.name == "first").causes
    assert (cause.op, cause.op_type) == ("cond/Merge", "Merge")


def test_a_frozen_graph_of_tensorflow_1_is_said_to_hold_constants(tmp_path: Path) -> None:
    from tests.models import graphs

    report = report_on(saved(tmp_path, graphs.frozen))
    assert report.summary.weights == 0
    assert ["1 constant holds 6 parameters" in finding.message for finding in report.findings] == [
        True
    ]


def test_an_op_without_a_gradient_does_not_lose_the_other_weights(tmp_path: Path) -> None:
    from tests.models.graphs import save_op_without_gradient

    save_op_without_gradient(tmp_path / "model")
    assert codes(report_on(tmp_path / "model")) == {
        "beside": ["flows"],
        "behind": ["none", "GF203"],
    }


def test_of_several_graphs_the_one_for_training_is_stepped(tmp_path: Path) -> None:
    from tests.models.graphs import save_two_graphs

    save_two_graphs(tmp_path / "model")
    found = {
        training: report_on(tmp_path / "model", training=training) for training in (True, False)
    }
    assert {training: one.entry for training, one in found.items()} == {
        True: "default@train",
        False: "default",
    }
    assert codes(found[True]) == {"w": ["flows"], "noise": ["flows"]}
    assert codes(found[False]) == {"w": ["flows"], "noise": ["none", "GF206"]}
    assert report_on(tmp_path / "model", entry="default").entry == "default"


def test_without_its_variables_a_graph_is_read_and_says_so(tmp_path: Path) -> None:
    from tests.models import graphs

    path = saved(tmp_path, graphs.references)
    shutil.rmtree(path / "variables")
    report = report_on(path)
    assert report.mode is Mode.STATIC
    assert codes(report) == EXPECTED["references"]
    (warning,) = (finding for finding in report.findings if finding.code == "GF901")
    assert warning.severity is Severity.WARNING
    assert "missing" in warning.message


def test_the_same_seed_gives_the_same_gradient(tmp_path: Path) -> None:
    from tests.models import graphs

    path = saved(tmp_path, graphs.references)
    assert report_on(path) == report_on(path)
    assert report_on(path, seed=1) != report_on(path)
