"""The way of the variables of random models, and repairs that are carried out; of the answer key,
test_functions.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from gradflow.analysis.step_model import analyse_model
from gradflow.findings import Format, Route, Verdict
from gradflow.options import Options
from gradflow.tape.load.in_memory import model_in_memory
from tests.agreement.hold import hold_route
from tests.agreement.subject import analysed
from tests.models import graphs
from tests.models.functions import CASES, Module
from tests.models.graphs import save_graph
from tests.models.oracle import measure_model
from tests.models.plan import OPERATION_CUTS, Plan, layer_of, seeded_plan
from tests.models.planted import build, save
from tests.models.truth import expected

pytestmark = pytest.mark.tensorflow


PROVEN = {
    "variable_as_the_number_of_a_case": True,
    "round_in_one_case": True,
    "stop_gradient_in_both_branches": True,
    "state_stopped_between_trips": True,
    "number_of_trips": False,  # multiplied with 0 before the cut
    "stop_gradient_in_the_branch_not_taken": False,
    "loop_variables_that_change_places": True,
    "joined_split_again_and_one_part_stopped": True,
    "columns_gathered_and_stopped": True,
    "shape_behind_an_argmax": True,
}


@pytest.mark.parametrize("name", sorted(PROVEN.keys() & CASES.keys()))
def test_a_repair_inside_functions_is_tried_in_a_step(name: str, tmp_path: Path) -> None:
    Module(name).save(str(tmp_path))
    for key, truth in CASES[name].truths.items():
        if truth.verdict != "flows" and truth.cuts != 0:
            analysis = analysed(tmp_path, Options(why=key))
            hold_route(analysis)
            assert analysis.route is not None
            _hold_proof(analysis.route, is_restored=PROVEN[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_repair_of_a_saved_function_is_tried(name: str, tmp_path: Path) -> None:
    Module(name).save(str(tmp_path))
    for key, truth in CASES[name].truths.items():
        if truth.verdict == "flows" or CASES[name].unloadable:
            continue
        analysis = analysed(tmp_path, Options(why=key))
        hold_route(analysis)
        route = analysis.route
        assert route is not None
        variable = next(one for one in analysis.report.variables if one.name == route.variable)
        if variable.cuts_to_restore:
            _hold_proof(route, is_restored=PROVEN.get(name, name not in STOPPED))


STOPPED = ("end_of_a_loop_decided_by_a_variable",)


def _hold_proof(route: Route, *, is_restored: bool) -> None:
    proof = route.proof
    assert proof is not None, route.unproven
    assert proof.restored == is_restored
    assert (proof.stopped_by is None) == is_restored
    assert (proof.norm or 0.0) > 0.0 if is_restored else proof.norm == 0.0


@pytest.mark.parametrize(("build", "like"), [("references", None), ("resources", "kept")])
def test_a_repair_of_a_graph_of_tensorflow_1_is_tried(
    build: str, like: str | None, tmp_path: Path
) -> None:
    """Beside the cut stands the same without it, whose gradient is then the same."""
    save_graph(tmp_path / "m", getattr(graphs, build))
    analysis = analysed(tmp_path / "m", Options(why="stopped"))
    assert analysis.route is not None
    _hold_proof(analysis.route, is_restored=True)
    for variable in analysis.report.variables:
        if variable.name == like:
            assert variable.gradient is not None
            assert analysis.route.proof is not None
            assert analysis.route.proof.norm == pytest.approx(variable.gradient.norm)


@pytest.mark.parametrize(("name", "cuts"), [("a", 2), ("b", 1), ("dead", 1)])
def test_repairs_of_several_cuts_in_a_graph_of_tensorflow_1(
    name: str, cuts: int, tmp_path: Path
) -> None:
    save_graph(tmp_path / "m", graphs.cut_in_a_row)
    route = analysed(tmp_path / "m", Options(why=name)).route
    assert route is not None
    assert sum(step.cause is not None for step in route.steps) == cuts
    _hold_proof(route, is_restored=name != "dead")


def test_a_cut_inside_a_loop_of_tensorflow_1_is_not_tried(tmp_path: Path) -> None:
    save_graph(tmp_path / "m", graphs.loop)
    route = analysed(tmp_path / "m", Options(why="limit")).route
    assert route is not None
    assert route.proof is None
    assert route.unproven.startswith("it is cut inside a function, a loop or a condition")


def test_a_cut_that_only_the_run_leads_to_is_drawn_on_the_way(tmp_path: Path) -> None:
    """In the graph, which does not tell entries apart, the way is open."""
    Module("joined_split_again_and_one_part_stopped").save(str(tmp_path))
    route = analysed(tmp_path, Options(why="c")).route
    assert route is not None
    for steps in (route.steps, route.way):
        assert [step.cause.op for step in steps if step.cause is not None] == ["StopGradient"]


def test_a_dead_unit_behind_the_cut_extends_the_repair() -> None:
    """And of two ways with one cut each, the one on which nothing is dead is shown."""
    inputs = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(3, name="first")(inputs)
    low = keras.ops.relu(hidden - 1e6)
    dead = keras.Model(inputs, keras.layers.Dense(2, name="head")(keras.ops.stop_gradient(low)))
    route = _route(dead, "first/kernel")
    _hold_proof(route, is_restored=False)
    assert [change.cause.code for change in route.changes] == ["GF201", "GF303"]
    assert route.proof is not None
    assert route.proof.stopped_by == route.changes[1].cause
    rounded = keras.ops.round(7.0 * hidden)
    both = keras.layers.Dense(2, name="head")(keras.ops.stop_gradient(low) + rounded)
    route = _route(keras.Model(inputs, both), "first/kernel")
    _hold_proof(route, is_restored=True)
    assert [change.cause.op_type for change in route.changes] == ["Round"]
    assert [cause.op_type for cause in route.other_ways] == ["StopGradient"]


def test_what_only_an_integer_output_depends_on_is_tried_as_well() -> None:
    inputs = keras.Input((4,), name="x")
    classes = keras.ops.argmax(keras.layers.Dense(3, name="first")(inputs), axis=-1)
    route = _route(keras.Model(inputs, classes), "first/kernel")
    _hold_proof(route, is_restored=True)


def test_every_cut_is_told_between_its_layers() -> None:
    """The changes along the way, and the cut of the other way that is left as it is."""
    inputs = keras.Input((4,), name="x")
    stem = keras.layers.Dense(4, name="stem")(inputs)
    middle = keras.layers.Dense(4, name="middle")(keras.ops.round(stem))
    left = keras.layers.Dense(2, name="left")(keras.ops.stop_gradient(middle))
    right = keras.layers.Dense(2, name="right")(keras.ops.sign(middle))
    route = _route(keras.Model(inputs, keras.layers.Add(name="sum")([left, right])), "stem/kernel")
    between = {change.cause.op_type: change.between for change in route.changes}
    between |= {cut.cause.op_type: cut.between for cut in route.also_cut}
    assert len(route.changes) == 2
    assert between == {
        "Round": ("stem", "middle"),
        "StopGradient": ("middle", "left"),
        "Sign": ("middle", "right"),
    }


def _route(model: keras.Model, name: str) -> Route:
    loaded = model_in_memory(model, "model", Options())
    route = analyse_model(loaded, "model", Format.MEMORY, Options(why=name)).route
    assert route is not None
    return route


@pytest.mark.parametrize("seed", [6, 11, 23, 33])
def test_a_proof_holds_in_the_model_without_its_cuts(seed: int) -> None:
    plan = seeded_plan(seed)
    model = build(plan)
    assert _held_proofs(plan, model, lambda name: _route(model, name))


FILES = {"keras": (51, 11, 17, 55, 6), "h5": (51, 9, 17, 11, 59), "export": (51, 11, 17, 55, 6)}
"""Seeds of plans with cuts that can be taken out alone, by the kind of file; the first always
runs."""


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        pytest.param(kind, seed, marks=[] if seed == seeds[0] else [pytest.mark.slow])
        for kind, seeds in FILES.items()
        for seed in seeds
    ],
)
def test_a_proof_holds_in_files_too(kind: str, seed: int, tmp_path: Path) -> None:
    plan = seeded_plan(seed, layers_only=kind == "h5")
    model = build(plan)
    path = save(model, tmp_path, kind)

    def route(name: str) -> Route | None:
        keras.backend.clear_session()  # as in the fresh process that the command line starts
        return analysed(path, Options(why=name)).route

    assert _held_proofs(plan, model, route)


def _held_proofs(plan: Plan, model: keras.Model, route_of: Callable[[str], Route | None]) -> int:
    """For each layer of a plan: the fewest planted cuts whose removal lets it train on paper, the
    proof, and the tape of the model that is built without them. Return how many proofs held."""
    truths = expected(plan)
    names = [item.path for item in model.trainable_variables + model.non_trainable_variables]
    held = 0
    for layer, truth in truths.items():
        if not truth.cuts_to_restore:
            continue
        repaired = _without_cuts(plan, layer, truth.cuts_to_restore)
        if repaired is None:  # one of its cuts holds weights itself
            continue
        name = next(name for name in names if layer_of(name, frozenset(truths)) == layer)
        route = route_of(name)
        after = measure_model(build(repaired))
        assert route is not None
        is_restored = after[name][0].verdict == "flows"
        _hold_proof(route, is_restored=is_restored)
        held += is_restored
    return held


WITHOUT_WEIGHTS = (*OPERATION_CUTS, "quantise")
"""The kinds of cuts that can be taken out."""


def _without_cuts(plan: Plan, layer: str, count: int) -> Plan | None:
    """The plan without as few cuts as let the layer train."""
    cuts = [node.name for node in plan.nodes if node.kind in WITHOUT_WEIGHTS]
    for removed in combinations(cuts, count):
        nodes = tuple(
            replace(node, kind="open") if node.name in removed else node for node in plan.nodes
        )
        repaired = replace(plan, nodes=nodes)
        if expected(repaired)[layer].verdict == "flows":
            return repaired
    return None


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
        if truth.cuts_to_restore:
            _hold_proof(found, is_restored=True)
        assert truth.frozen == any(change.cause.code == "GF101" for change in found.changes)
        assert bool(found.steps) == (truth.cuts_to_restore is not None)
