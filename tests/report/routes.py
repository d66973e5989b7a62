"""Answers of ``gradflow why`` built by hand, one for each kind of thing that it has to show."""

from __future__ import annotations

from dataclasses import replace

from gradflow.catalogue import entry
from gradflow.findings import (
    Cause,
    Change,
    CutElsewhere,
    ModelReport,
    Output,
    Proof,
    Route,
    Step,
    Variable,
    Verdict,
)
from tests.report.reports import analyzed, dense, names, routed, state, two_towers, unknown, weight

Answer = tuple[ModelReport, Route]


def cause(code: str, op: str | None = None, op_type: str | None = None, **changes: str) -> Cause:
    return replace(
        Cause(code, entry(code).kind, op=op, op_type=op_type),
        **changes,
    )


def steps(*ops: str | Cause, back: str | None = None) -> tuple[Step, ...]:
    """The steps of a way; gradient comes up as far as the last cause, or to ``back``."""
    names = [op if isinstance(op, str) else str(op.op) for op in ops]
    causes = [place for place, op in enumerate(ops) if isinstance(op, Cause)]
    fed_from = names.index(back) if back else max(causes, default=-1) + 1
    return tuple(
        Step(
            name,
            "",
            layer=None,
            fed=place >= fed_from,
            comes_back=name == back,
            cause=op if isinstance(op, Cause) else None,
        )
        for place, (name, op) in enumerate(zip(names, ops, strict=True))
    )


def change(
    cause: Cause, reason: str, *behind: str, between: tuple[str, str] | None = None
) -> Change:
    return Change(cause, reason, entry(cause.code).fix, behind, between)


STOP = cause("GF201", "net/target/StopGradient", "StopGradient", layer="target", source="net.py:41")
ROUND = cause("GF202", "net/left/quantize", "Round", layer="left", source="net.py:17")


def two_cuts() -> Answer:
    """A weight behind a Round and a StopGradient; the weights between the two need one change
    only."""
    way = steps(
        *("net/left/dense_0/MatMul", "net/left/dense_0/BiasAdd", ROUND, "net/left/dense_1/MatMul"),
        *("net/left/dense_1/BiasAdd", "net/left/Relu", STOP, "net/merge/concat", "net/head/MatMul"),
    )
    changes = (
        change(
            ROUND,
            "gradient is cut by Round 'net/left/quantize' (not differentiable)",
            "left/dense_0/bias",
            between=("left/dense_0", "left/dense_1"),
        ),
        change(
            STOP,
            "gradient is stopped by StopGradient 'net/target/StopGradient'",
            *("left/dense_0/bias", "left/dense_1/kernel", "left/dense_1/bias", "router/kernel"),
            between=("left", "merge"),
        ),
    )
    also = ("left/dense_0/bias", "left/dense_1/kernel", "left/dense_1/bias")
    return two_towers().models[0], Route("left/dense_0/kernel", way, "head", changes, also)


def flowing() -> Answer:
    """Nothing is wrong, and the way is long."""
    way = steps(
        "net/right/MatMul", *(f"net/block_{place}/MatMul" for place in range(12)), "net/head/MatMul"
    )
    return two_towers().models[0], Route("right/kernel", way, "head", (), ())


def frozen() -> Answer:
    """Frozen by a layer, and behind a cut as well."""
    starved = {
        "trainable": False,
        "frozen_by": "backbone",
        "verdict": Verdict.NONE,
        "causes": (STOP,),
    }
    inner = [
        one
        for block in range(9)
        for one in dense(f"backbone/conv_{block}", 3, 8, cuts_to_restore=1, **starved)
    ]
    model = analyzed("frozen.keras", [*inner, *dense("head", 8, 2)])
    first, *others = names(inner)
    layer = cause("GF101", layer="backbone")
    thaw = Change(
        layer, "frozen by backbone.trainable=False", "set backbone.trainable = True", tuple(others)
    )
    message = "gradient is stopped by StopGradient 'net/target/StopGradient'"
    cut = change(STOP, message, *others, between=("backbone/conv_8", "head"))
    way = steps("net/backbone/conv_0/MatMul", STOP, "net/head/MatMul")
    return model, Route(first, way, "head", (thaw, cut), tuple(others))


def passage() -> Answer:
    """Data that leaves floating point, on one of two outputs."""
    model = routed().models[0]
    leaves = model.variables[0].causes[0]
    path = [leaves if op == leaves.op else op for op in model.variables[0].path]
    message = "gradient is cut by ArgMax 'moe/route/ArgMax' (not differentiable)"
    changes = (change(leaves, message, "gate/bias", between=("gate", "mix")),)
    route = Route(
        "gate/kernel", steps(*path, back=leaves.reenters_at), "mixture", changes, ("gate/bias",)
    )
    outputs = (*model.outputs, Output("mixture", (4, 8), "float32"))
    proof = Proof(restored=True, norm=0.53, stopped_by=None)
    return replace(model, outputs=outputs), replace(route, proof=proof)


def side_by_side() -> Answer:
    """Cut on both of two ways to the output."""
    model = two_towers().models[0]
    message = "gradient is cut by Round 'net/left/quantize' (not differentiable)"
    changes = (change(ROUND, message, between=("router", "head")),)
    way = steps("net/router/MatMul", ROUND, "net/head/MatMul")
    also_cut = (CutElsewhere(STOP, ("router", "merge")),)
    return model, Route(
        "router/kernel",
        way,
        output="head",
        changes=changes,
        also_restored=(),
        other_ways=(STOP,),
        also_cut=also_cut,
    )


def _alone(variable: Variable, path: str, *changes: Change, way: tuple[Step, ...] = ()) -> Answer:
    return analyzed(path, [variable, *dense("head", 8, 2)]), Route(
        variable.name, way, "head", changes, ()
    )


def unused() -> Answer:
    reason = cause("GF206")
    spare = weight("spare/kernel", 8, 2, verdict=Verdict.NONE, causes=(reason,))
    return _alone(spare, "unused.keras", change(reason, "no path to any output"))


def dead() -> Answer:
    relu = cause("GF303", "net/gate/Relu", "Relu", layer="gate")
    gate = weight("gate/kernel", 8, 8, verdict=Verdict.ZERO, causes=(relu,), cuts_to_restore=0)
    way = steps("net/gate/MatMul", relu, "net/head/MatMul")
    return _alone(
        gate,
        "dead.keras",
        change(
            relu,
            "a path exists, but the measured gradient is exactly zero",
            between=("gate", "gate"),
        ),
        way=way,
    )


def moving_average() -> Answer:
    return _alone(state("norm/moving_mean", 8), "state.keras")


def without_graph() -> Answer:
    model = unknown().models[0]
    layer = cause("GF101", layer="backbone")
    thaw = Change(
        layer,
        "frozen by backbone.trainable=False",
        "set backbone.trainable = True",
        names(model.variables)[1:8],
    )
    return model, Route("backbone/conv_1/kernel", (), None, (thaw,), ())


ANSWERS = {
    "two_cuts": two_cuts,
    "flowing": flowing,
    "frozen": frozen,
    "passage": passage,
    "side_by_side": side_by_side,
    "unused": unused,
    "dead": dead,
    "moving_average": moving_average,
    "without_graph": without_graph,
}
