"""The way of every variable of the answer key and of random models, and repairs that are carried
out."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from gradflow.analysis.dynamic import analyse_model
from gradflow.analysis.result import Analysis
from gradflow.analysis.static import read
from gradflow.findings import Format, Verdict
from gradflow.options import Options
from gradflow.tape.load.in_memory import model_in_memory
from tests.agreement.subject import analysed
from tests.models.functions import CASES, Module
from tests.models.plan import layer_of, seeded_plan
from tests.models.planted import build
from tests.models.truth import expected

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("name", CASES)
def test_the_way_of_a_saved_function(name: str, tmp_path: Path) -> None:
    """As the report says: the answer key holds the report itself."""
    case = CASES[name]
    Module(name).save(str(tmp_path))
    for key in case.truths:
        _hold(read(str(tmp_path), Options(static=True, why=key)))
    measured = [key for key, truth in case.truths.items() if truth.verdict in ("zero", "nonfinite")]
    if measured and not case.unloadable:
        _hold(analysed(tmp_path, Options(why=measured[0])))


def _hold(analysis: Analysis) -> None:
    route = analysis.route
    assert route is not None
    variable = next(one for one in analysis.report.variables if one.name == route.variable)
    marked = [step.cause for step in route.steps if step.cause is not None]
    assert bool(route.steps) == (variable.cuts_to_restore is not None)
    assert not route.steps or route.steps[-1].fed or route.steps[-1].cause is not None
    if variable.verdict is Verdict.FLOWS:
        assert not marked
    elif (
        variable.cuts_to_restore and marked
    ):  # one that only this run's trips of a loop lead to is on no way
        assert len(set(marked)) == variable.cuts_to_restore  # one op in several calls is one cut
        assert marked[-1] in variable.causes
        assert [change.cause for change in route.changes] == list(dict.fromkeys(marked))
    elif variable.verdict is not Verdict.UNKNOWN:
        assert {change.cause for change in route.changes} >= set(variable.causes)
        assert set(marked) <= set(variable.causes)


REPAIRS = {"Round": tf.identity, "StopGradient": tf.identity, "ArgMax": tf.nn.softmax}
"""What to put in the place of each cut of ``_save``, by the op type that the cut is named after."""


def _one_hot_of_the_largest(x: tf.Tensor) -> tf.Tensor:
    return tf.one_hot(tf.argmax(x, -1), 3)


def _save(folder: Path, repaired: frozenset[str] = frozenset()) -> str:
    """Save a function with three cuts, two of them in a row, without those that are
    ``repaired``."""
    cuts = {"Round": tf.round, "StopGradient": tf.stop_gradient, "ArgMax": _one_hot_of_the_largest}
    ops = {name: REPAIRS[name] if name in repaired else cut for name, cut in cuts.items()}
    module = tf.Module()
    module.weights = {
        name: tf.Variable(tf.random.stateless_normal([3], [place, 2]), name=name)
        for place, name in enumerate("abcde")
    }
    v = module.weights

    @tf.function(input_signature=[tf.TensorSpec([4, 3], tf.float32, name="x")])
    def serve(x: tf.Tensor) -> tf.Tensor:
        inner = ops["Round"](3.0 * x * v["a"] + v["b"]) + v["c"]
        return ops["StopGradient"](inner) * ops["ArgMax"](x * v["d"]) + v["e"]

    path = str(folder / ("-".join(sorted(repaired)) or "broken"))
    tf.saved_model.save(module, path, signatures={"serving_default": serve})
    return path


@pytest.mark.parametrize(
    ("name", "changed"),
    [("a", ["Round", "StopGradient"]), ("c", ["StopGradient"]), ("d", ["ArgMax"])],
)
def test_the_changes_bring_back_what_they_are_said_to(
    name: str, changed: list[str], tmp_path: Path
) -> None:
    broken = analysed(_save(tmp_path), Options(why=name))
    assert broken.route is not None
    assert [change.cause.op_type for change in broken.route.changes] == changed
    repaired = analysed(_save(tmp_path, frozenset(changed)), Options()).report
    back = {
        after.name
        for before, after in zip(broken.report.variables, repaired.variables, strict=True)
        if before.verdict is Verdict.NONE and after.verdict is Verdict.FLOWS
    }
    assert back == {name, *broken.route.also_restored}
    behind = [change.behind for change in broken.route.changes]
    assert behind == {"a": [("b",), ("b", "c")], "c": [("a", "b")], "d": [()]}[name]


@pytest.mark.parametrize("seed", range(20, 26))
def test_the_way_of_every_layer_of_a_plan(seed: int) -> None:
    """As many changes as the plan's brute force says, in memory and so with the graph that is
    traced."""
    plan = seeded_plan(seed)
    loaded = model_in_memory(build(plan), "planted", Options())
    truths = expected(plan)
    first = {
        layer_of(item.stored.name, frozenset(truths)): item.stored.name
        for item in loaded.watched[::-1]
    }
    for layer, truth in truths.items():
        found = analyse_model(loaded, "planted", Format.MEMORY, Options(why=first[layer])).route
        assert found is not None
        cuts = [
            change
            for change in found.changes
            if change.cause.code not in ("GF101", "GF206", "GF303")
        ]
        assert len(cuts) == (truth.cuts_to_restore or 0), layer
        assert truth.frozen == any(change.cause.code == "GF101" for change in found.changes)
        assert bool(found.steps) == (truth.cuts_to_restore is not None)
