"""Which entry of a SavedModel is stepped where the user names none, and how each can be named."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gradflow
from gradflow.errors import InputError, UnreadableError
from gradflow.files.recognise import recognise
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.findings import Mode, ModelReport, Role
from gradflow.options import Options
from gradflow.patterns import covers
from gradflow.process.parent import inspect_path
from tests.agreement.compare import compare_with_tape
from tests.agreement.subject import analysed

pytestmark = pytest.mark.tensorflow


def report_on(path: Path, **options: Any) -> ModelReport:
    return analysed(path, Options(**options)).report


def saved(folder: Path, save: Callable[[Path], None]) -> Path:
    save(folder / "model")
    return folder / "model"


def verdicts(report: ModelReport) -> dict[str, str]:
    return {one.name: one.verdict.value for one in report.variables if one.role is Role.WEIGHT}


def agreeing(path: Path, **options: Any) -> ModelReport:
    """The report on ``path``, every verdict of which is the bare tape's on the same entry."""
    from tests.models.oracle import InputSpec, measure_file

    report = report_on(path, **options)
    assert report.mode is Mode.TAPE
    specs = [InputSpec(one.name, one.shape, one.dtype) for one in report.inputs]
    score = compare_with_tape(
        report, lambda seed: measure_file(path, specs, report.entry or "", seed)
    )
    assert score.complaints == []
    return report


def test_the_variant_for_training_is_stepped_and_the_other_in_inference(tmp_path: Path) -> None:
    from tests.models.modules import save_hub_module

    path = saved(tmp_path, save_hub_module)
    training, inference = agreeing(path), agreeing(path, training=False)
    assert (training.entry, inference.entry) == (
        "__call__(training=True)",
        "__call__(training=False)",
    )
    assert verdicts(training) == {"w": "flows", "drop": "flows"}
    assert verdicts(inference) == {"w": "flows", "drop": "none"}


def test_every_variant_has_a_label_of_its_own_that_names_it(tmp_path: Path) -> None:
    from tests.models.modules import save_hub_module

    path = saved(tmp_path, save_hub_module)
    labels = [entry.label for graph in read_saved_model(recognise(path)) for entry in graph.entries]
    assert sorted(labels) == [
        "__call__(long, training=True)",
        "__call__(training=False)",
        "__call__(training=True)",
    ]
    for label in labels:
        assert agreeing(path, entry=label).entry == label
    assert [len(report_on(path, entry=label).inputs[0].shape) for label in labels].count(3) == 1
    assert report_on(path, entry="__call__").entry == "__call__(training=True)"


def test_the_function_with_most_weights_that_sets_none_is_stepped(tmp_path: Path) -> None:
    from tests.models.modules import save_trainer

    path = saved(tmp_path, save_trainer)
    report = agreeing(path)
    assert report.entry == "predict"
    assert verdicts(report) == {"a": "flows", "b": "flows"}
    assert verdicts(agreeing(path, entry="serving_default")) == {"a": "flows", "b": "none"}


def test_what_training_calls_is_stepped_though_it_assigns_a_weight(tmp_path: Path) -> None:
    pytest.importorskip("tf_keras")
    from tests.models.modules import save_normalized

    report = report_on(saved(tmp_path, save_normalized))
    assert report.entry == "__call__(training=True)"
    assert [finding.code for finding in report.findings] == ["GF211"]


def test_a_function_without_inputs_does_not_hide_what_data_does_not_reach(tmp_path: Path) -> None:
    from tests.models.modules import save_functions_without_inputs

    path = saved(tmp_path, save_functions_without_inputs)
    report = agreeing(path)
    assert report.entry == "call"
    assert verdicts(report) == {"w": "flows", "unused": "none"}
    assert verdicts(agreeing(path, entry="penalty")) == {"w": "flows", "unused": "flows"}


def test_a_python_function_that_no_file_holds_is_read_statically_and_said(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save = (
        f"import pathlib, tests.models.modules as m; "
        f"m.save_python_function(pathlib.Path({str(path)!r}))"
    )
    # This process would know it, or take another test's for it: they are known by a number.
    subprocess.run([sys.executable, "-c", save], check=True, capture_output=True)
    report = inspect_path(str(path), Options()).model
    assert report.mode is Mode.STATIC
    assert verdicts(report) == {"before": "none", "after": "flows"}
    assert [finding.code for finding in report.findings] == ["GF901", "GF208"]
    assert "it calls a Python function, which no file holds" in report.findings[0].message


def test_a_function_of_an_inner_object_is_stepped_where_the_model_has_none(tmp_path: Path) -> None:
    from tests.models.modules import save_inner_function

    report = agreeing(saved(tmp_path, save_inner_function))
    assert report.entry == "tower.call"
    assert verdicts(report) == {"w": "flows", "unused": "none"}
    assert [output.name for output in report.outputs] == ["again", "embedding"]


def test_a_function_inside_a_list_or_a_dict_is_found(tmp_path: Path) -> None:
    from tests.models.modules import save_function_in_a_list

    path = saved(tmp_path, save_function_in_a_list)
    labels = {entry.label for graph in read_saved_model(recognise(path)) for entry in graph.entries}
    assert labels == {"towers.0.call", "named.second.call"}
    assert verdicts(report_on(path, entry="towers.0.call")) == {"w": "flows", "ww": "none"}
    assert verdicts(report_on(path, entry="named.second.call")) == {"w": "none", "ww": "flows"}


def test_where_the_best_entry_refuses_its_inputs_one_with_others_is_stepped(tmp_path: Path) -> None:
    from tests.models.modules import save_picky_function

    path = saved(tmp_path, save_picky_function)
    report = report_on(path)
    assert report.entry in ("any", "zz_any")
    assert verdicts(report) == {"w": "flows"}
    with pytest.raises(InputError):
        report_on(path, entry="call")


@pytest.mark.parametrize("old", [False, True], ids=["TensorFlow 2", "TensorFlow 1"])
def test_variables_that_are_cut_short_are_not_read_as_if_nothing_were_wrong(
    old: bool, tmp_path: Path
) -> None:
    from tests.models import graphs, modules

    folder = tmp_path / "model"
    if old:
        graphs.save_graph(folder, graphs.references)
    else:
        modules.save_inner_function(folder)
    (data,) = (folder / "variables").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:10])
    with pytest.raises(UnreadableError, match="damaged"):
        report_on(folder)


def test_without_a_function_the_weights_are_listed_and_the_report_says_why(tmp_path: Path) -> None:
    from tests.models.modules import save_no_function

    path = saved(tmp_path, save_no_function)
    for report in (report_on(path), report_on(path, static=True)):
        assert (report.entry, report.mode) == (None, Mode.STATIC)
        assert verdicts(report) == {"w": "unknown"}
        assert ["holds no function" in finding.message for finding in report.findings] == [True]
    with pytest.raises(UnreadableError, match="has no entry 'serve'") as caught:
        report_on(path, entry="serve")
    assert "no function" in caught.value.hint


def test_arguments_and_results_of_any_structure_are_filled_in_and_named(tmp_path: Path) -> None:
    from tests.models.modules import save_structures

    path = saved(tmp_path, save_structures)
    report = agreeing(path)
    assert [one.name for one in report.inputs] == ["first", "second", "single"]
    assert [one.name for one in report.outputs] == ["output_0", "output_1", "sum"]
    labels = {entry.label for graph in read_saved_model(recognise(path)) for entry in graph.entries}
    assert labels == {"__call__", "__call__(first, second, single, scale=2.0)"} or labels == {
        "__call__",
        "__call__(first, second, single, scale=3.0)",
    }


@pytest.mark.parametrize("old", [False, True], ids=["TensorFlow 2", "TensorFlow 1"])
@pytest.mark.parametrize("missing", ["*.index", "*.data-*"])
def test_a_file_of_variables_that_is_missing_is_said(
    missing: str, old: bool, tmp_path: Path
) -> None:
    from tests.models import graphs, modules

    folder = tmp_path / "model"
    if old:
        graphs.save_graph(folder, graphs.references)
    else:
        modules.save_inner_function(folder)
    for path in (folder / "variables").glob(missing):
        path.unlink()
    report = report_on(folder)
    assert report.mode is Mode.STATIC
    assert "some of the files of its variables are missing" in report.findings[0].message
    assert report.findings[0].hint.startswith("put the folder variables")


def test_the_model_below_an_inference_loop_is_an_entry_and_is_stepped(tmp_path: Path) -> None:
    from tests.models.modules import save_inference_loop

    path = saved(tmp_path, save_inference_loop)
    report = agreeing(path)
    assert report.entry == "model.call(training=True)"
    assert verdicts(report) == {"body": "flows", "head": "flows"}
    loop = agreeing(path, entry="generate_one_step")
    assert verdicts(loop) == {"body": "flows", "head": "none"}
    labels = {entry.label for graph in read_saved_model(recognise(path)) for entry in graph.entries}
    # The parts of a model that can be called are no entries.
    assert labels == {
        "serving_default",
        "generate_one_step",
        "model.call(training=True)",
        "model.call(training=False)",
    }


def findings_of_unused(report: ModelReport) -> dict[str, tuple[str, str]]:
    return {
        name: (finding.severity.value, finding.message)
        for finding in report.findings
        if finding.code == "GF206"
        for name in finding.variables
    }


@pytest.mark.parametrize("static", [False, True], ids=["run", "static"])
def test_a_weight_of_another_entry_is_a_note_that_names_it(static: bool, tmp_path: Path) -> None:
    from tests.models.modules import save_signatures

    path = saved(tmp_path, save_signatures)
    report = report_on(path, entry="decode", static=static)
    assert verdicts(report) == {
        "enc": "none",
        "decoder": "flows",
        "only_set": "none",
        "unused": "none",
    }
    unused = findings_of_unused(report)
    assert unused["enc"] == (
        "note",
        "no path to any output of this entry: the entry 'encode' leads a gradient to it",
    )
    assert unused["only_set"][0] == unused["unused"][0] == "warning"
    assert "the entry 'reset' uses it, and leads no gradient to it" in unused["only_set"][1]
    assert unused["unused"][1] == "no path to any output: no op of the call reads it"


def test_a_weight_that_another_entry_cuts_off_stays_a_warning(tmp_path: Path) -> None:
    from tests.models.modules import save_signatures

    path = saved(tmp_path, functools.partial(save_signatures, is_cut=True))
    severity, message = findings_of_unused(report_on(path, entry="encode"))["decoder"]
    assert severity == "warning"
    assert "the entry 'decode' uses it, and leads no gradient to it" in message


@pytest.mark.parametrize("static", [False, True], ids=["run", "static"])
def test_with_all_entries_a_weight_is_trained_where_any_reaches_it(
    static: bool, tmp_path: Path
) -> None:
    from tests.models.modules import save_signatures

    path = saved(tmp_path, save_signatures)
    report = report_on(path, entry="all", static=static)
    assert report.entry == "all: decode, encode"
    assert verdicts(report) == {
        "enc": "flows",
        "decoder": "flows",
        "only_set": "none",
        "unused": "none",
    }
    assert (report.summary.flows, report.summary.none) == (2, 2)
    assert set(findings_of_unused(report)) == {"only_set", "unused"}
    assert [item.name for item in report.inputs] == ["x"]
    route = analysed(path, Options(entry="all", static=static, why="decoder")).route
    assert route is not None
    assert route.steps


def test_with_all_entries_a_cut_names_its_entry(tmp_path: Path) -> None:
    from tests.models.modules import save_signatures

    report = report_on(
        saved(tmp_path, functools.partial(save_signatures, is_cut=True)), entry="all"
    )
    (cut,) = [finding for finding in report.findings if finding.code == "GF201"]
    assert cut.message.endswith("(entry decode)")
    assert cut.variables == ("decoder",)


def test_a_scalar_in_a_signature_of_tensorflow_1_has_the_shape_of_its_placeholder(
    tmp_path: Path,
) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    from tests.models import graphs

    graphs.save_graph(tmp_path / "model", graphs.resources)
    file = tmp_path / "model" / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for info in message.meta_graphs[0].signature_def["serving_default"].inputs.values():
        info.tensor_shape.Clear()
    file.write_bytes(message.SerializeToString())
    report = report_on(tmp_path / "model")
    assert [len(info.shape) for info in report.inputs] == [2]
    assert report.summary.flows > 0


@pytest.mark.parametrize("way", ["run", "static", "memory"])
def test_variables_of_modules_are_told_and_covered_by_their_owners(
    way: str, tmp_path: Path
) -> None:
    from tests.models.modules import owned, save_owned

    if way == "memory":
        (report,) = gradflow.inspect(owned()).models
    else:
        report = report_on(saved(tmp_path, save_owned), static=way == "static")
    assert verdicts(report) == {
        "kernel@enc.kernel": "none",
        "kernel@dec.kernel": "flows",
        "softplus@likelihood.variance": "flows",
    }
    for pattern, name in (
        ("enc/**", "kernel@enc.kernel"),
        ("dec/*", "kernel@dec.kernel"),
        ("likelihood/variance", "softplus@likelihood.variance"),
        ("softplus", "softplus@likelihood.variance"),
    ):
        covered = [one.name for one in report.variables if covers(pattern, one)]
        assert covered == [name], pattern
    # A scope that owns no variable is no layer.
    (cause,) = next(one.causes for one in report.variables if one.causes)
    assert (cause.op_type, cause.layer) == ("StopGradient", None)


def test_an_entry_that_computes_something_unused_of_a_weight_is_not_named(tmp_path: Path) -> None:
    """The function and its signature are two entries: each would point to the other."""
    import tensorflow as tf

    module = tf.Module()
    module.a = tf.Variable([1.0, 2.0], name="a")
    module.b = tf.Variable([1.0, 2.0], name="b")

    def serve(x: Any) -> Any:
        return x * module.a + tf.zeros_like(x * module.b)

    module.serve = tf.function(serve, input_signature=[tf.TensorSpec([3, 2], tf.float32, name="x")])
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    for static in (False, True):
        (message,) = {
            item[1] for item in findings_of_unused(report_on(tmp_path, static=static)).values()
        }
        assert message == "no path to any output"
