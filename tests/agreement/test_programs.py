"""Random tf.functions: what the live graph and what the saved file predict, against what one tape
step gives."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import gradflow
from gradflow.findings import ModelReport
from gradflow.options import Options
from tests.examples import examples
from tests.models.programs import Module, Program, programs

pytestmark = pytest.mark.tensorflow

EXAMPLES = settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # to shrink one costs minutes of tracing
    report_multiple_bugs=False,
)


@EXAMPLES
@given(programs(unsaid=False))
def test_the_live_graph_predicts_what_the_tape_gives(program: Program) -> None:
    module = Module(program)
    assert differences(live_prediction(module), measured(module)) == []


@EXAMPLES
@given(programs())
def test_the_saved_file_predicts_what_the_tape_gives(program: Program) -> None:
    module = Module(program)
    assert differences(static_prediction(module), measured(module)) == []


def measured(module: Module) -> dict[str, str]:
    """The verdicts of gradflow's tape; none of them may be without an explanation."""
    report = gradflow.inspect(module, entry="serve").models[0]
    assert report.error is None
    for variable in report.variables:
        assert "GF209" not in {cause.code for cause in variable.causes}, variable
        assert variable.causes or variable.verdict.value == "flows", variable
    return _verdicts(report)


def differences(predicted: dict[str, str], tape: dict[str, str]) -> list[str]:
    """Where they differ; a way that flows may carry exact zeros or overflow, and the tape alone can
    tell."""
    assert predicted.keys() == tape.keys()
    return [
        f"{name}: the graph says {graph}, the tape {tape[name]}"
        for name, graph in predicted.items()
        if tape[name] != graph and not (graph == "flows" and tape[name] in ("zero", "nonfinite"))
    ]


def live_prediction(module: Module) -> dict[str, str]:
    import tensorflow as tf

    from gradflow.flow.attribute import attribute
    from gradflow.tape.load.tf_module import ModuleMethod
    from gradflow.tape.trace import lower_trace

    model = ModuleMethod(module, "serve")
    traced = model.trace([tf.zeros([4, 3])])
    found = attribute(lower_trace(traced, model.handles, []))
    verdicts = {}
    for item in model.watched:
        mine = found.get(item.stored.name)
        reaches = mine is not None and mine.cuts_to_restore == 0
        filled = mine is not None and mine.zero_filled
        verdicts[item.stored.name] = "flows" if reaches else "zero" if filled else "none"
    return verdicts


def static_prediction(module: Module) -> dict[str, str]:
    from gradflow.analysis.static import read

    with TemporaryDirectory() as folder:
        module.save(folder)
        return _verdicts(read(str(Path(folder)), Options(static=True)).report)


def _verdicts(report: ModelReport) -> dict[str, str]:
    return {variable.name: variable.verdict.value for variable in report.variables}
