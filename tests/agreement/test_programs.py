"""Random tf.functions with control flow: what the graph predicts against what one tape step gives."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import gradflow
from tests.models.programs import Module, Program, programs

pytestmark = pytest.mark.tensorflow


@settings(
    max_examples=int(os.environ.get("GRADFLOW_EXAMPLES", "50")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # to shrink one costs minutes of tracing
    report_multiple_bugs=False,
)
@given(programs())
def test_the_graph_predicts_what_the_tape_gives(program: Program) -> None:
    module = Module(program)
    report = gradflow.inspect(module, entry="serve").models[0]
    assert report.error is None
    predicted = _predicted(module)
    for variable in report.variables:
        assert "GF209" not in {cause.code for cause in variable.causes}, variable
        graph, tape = predicted[variable.name], variable.verdict.value
        # A path that flows may carry exact zeros (a branch not taken, a dead value): the tape alone can tell.
        assert tape == graph or (graph == "flows" and tape in ("zero", "nonfinite")), (variable.name, graph, tape)


def _predicted(module: Module) -> dict[str, str]:
    import tensorflow as tf

    from gradflow.flow.attribute import attribute
    from gradflow.tape.module import module_subject

    subject = module_subject(module, "serve")
    found = attribute(subject.graph([tf.zeros([4, 3])], []))
    verdicts = {}
    for item in subject.watched:
        mine = found.get(item.stored.name)
        reaches = mine is not None and mine.cuts_to_restore == 0
        filled = mine is not None and mine.zero_filled
        verdicts[item.stored.name] = "flows" if reaches else "zero" if filled else "none"
    return verdicts
