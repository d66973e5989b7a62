"""Maps made by hand, and reports that have them: what the page of a report has to draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from gradflow.findings import (
    Carried,
    Cause,
    Finding,
    FlowMap,
    Gradient,
    MapEdge,
    MapNode,
    ModelReport,
    NodeKind,
    NodeState,
    Report,
    Role,
    Severity,
    Variable,
    Verdict,
)
from tests.report.reports import TOOL, analyzed, dense, names, two_towers, weight


def state_of(variables: Iterable[Variable]) -> NodeState:
    """What the verdicts of a node's weights come to."""
    weights = [variable for variable in variables if variable.role is Role.WEIGHT]
    states = {
        NodeState(variable.verdict.value) if variable.trainable else NodeState.FROZEN
        for variable in weights
    }
    if not states:
        return NodeState.PASSES
    return states.pop() if len(states) == 1 else NodeState.MIXED


def map_of(
    variables: Sequence[Variable],
    layers: Sequence[str],
    edges: Iterable[tuple[str, str] | tuple[str, str, Carried] | tuple[str, str, Carried, str]],
    parents: Mapping[str, Sequence[str]] | None = None,
) -> FlowMap:
    """A map of ``layers`` in the order of the data; ``in:`` and ``out:`` begin inputs and outputs,
    ``op:`` an op that stands alone; ``parents`` names the nodes that each group holds."""
    group_of = {member: group for group, members in (parents or {}).items() for member in members}
    order = [*(parents or {}), *layers]
    numbers = {name: number for number, name in enumerate(order)}
    held = {name: [v for v in variables if v.layer == name] for name in layers}

    def inside(name: str) -> list[Variable]:
        members = (parents or {}).get(name)
        if members is None:
            return held[name]
        return [variable for member in members for variable in inside(member)]

    nodes = []
    for name in order:
        own = [variable for variable in inside(name) if variable.role is Role.WEIGHT]
        norms = [v.gradient.norm for v in own if v.gradient and v.gradient.norm]
        kinds = {"in": NodeKind.INPUT, "out": NodeKind.OUTPUT, "op": NodeKind.OPERATION}
        prefix, _, rest = name.partition(":")
        nodes.append(
            MapNode(
                id=numbers[name],
                name=rest if prefix in kinds else name,
                parent=numbers.get(group_of.get(name, "")),
                kind=kinds.get(prefix, NodeKind.LAYER) if rest else NodeKind.LAYER,
                class_name=rest if prefix == "op" else "Dense" if own else None,
                state=state_of(own),
                weights=len(own),
                parameters=sum(variable.parameters for variable in own),
                norm=sum(norm**2 for norm in norms) ** 0.5 if norms else None,
                variables=names(held.get(name, ())),
            )
        )
    return FlowMap(
        tuple(nodes),
        tuple(
            MapEdge(
                numbers[source],
                numbers[target],
                rest[0] if rest else Carried.FLOWS,  # type: ignore[arg-type]
                tuple(rest[1:]),  # type: ignore[arg-type]
            )
            for source, target, *rest in edges
        ),
    )


def with_map(model: ModelReport, *arguments: object) -> ModelReport:
    return replace(model, map=map_of(model.variables, *arguments))  # type: ignore[arg-type]


def towers() -> Report:
    """The two towers, with a cut between the groups, one inside of a group, and frozen blocks."""
    (model,) = two_towers().models
    blocks = [f"backbone/block_{number}/conv" for number in range(4)]
    left = ["left/dense_0", "left/quantize", "left/dense_1"]
    layers = ["in:x", "router", *left, *blocks, "right", "op:concat", "head", "out:head"]
    none, cut = Carried.NONE, Carried.CUT
    edges = [
        ("in:x", "left/dense_0", none),
        ("in:x", "router", none),
        ("router", "left/quantize", none),
        ("left/dense_0", "left/quantize", none),
        ("left/quantize", "left/dense_1", cut, "net/left/quantize"),
        ("left/dense_1", "op:concat", cut, "net/target/StopGradient"),
        ("in:x", blocks[0]),
        *pairwise(blocks),
        (blocks[-1], "right"),
        ("right", "op:concat"),
        ("op:concat", "head"),
        ("head", "out:head"),
    ]
    groups = {"left": left, "backbone": blocks}
    return Report(TOOL, (with_map(model, layers, edges, groups),))


def looped() -> Report:
    """A loop: the state of a cell comes back to it."""
    variables = [*dense("embed", 8, 8), *dense("cell", 8, 8), *dense("head", 8, 2)]
    layers = ["in:ids", "embed", "cell", "op:Tanh", "head", "out:head"]
    edges = [
        ("in:ids", "embed", Carried.DISCRETE),
        ("embed", "cell"),
        ("cell", "op:Tanh"),
        ("op:Tanh", "cell"),
        ("op:Tanh", "head"),
        ("head", "out:head"),
    ]
    return Report(TOOL, (with_map(analyzed("looped.keras", variables), layers, edges),))


def vanishing(depth: int = 24) -> Report:
    """A chain whose gradient fades towards the input, with a dead and a NaN layer."""
    faded = [
        weight(
            f"dense_{n}/kernel",
            16,
            16,
            gradient=Gradient(g := 2.0 * 10 ** -((depth - n) / 3), g / 4, 0.0, None),
        )
        for n in range(depth)
    ]
    dead = Cause(
        "GF303", "dead", op="net/gate/Relu", op_type="Relu", layer="gate", source="net.py:7"
    )
    bad = Cause("GF304", "nonfinite", op="net/norm/Log", op_type="Log", layer="norm")
    gate = weight(
        "gate/kernel",
        16,
        16,
        verdict=Verdict.ZERO,
        gradient=Gradient(0.0, 0.0, 1.0, None),
        causes=(dead,),
        cuts_to_restore=0,
    )
    norm = weight("norm/gamma", 16, verdict=Verdict.NONFINITE, causes=(bad,), cuts_to_restore=0)
    variables = [*faded, gate, norm, *dense("head", 16, 2)]
    findings = (
        Finding(
            "GF304",
            Severity.ERROR,
            "gradient is NaN, first made by Log 'net/norm/Log'",
            hint="",
            variables=names([norm]),
            cause=bad,
        ),
        Finding(
            "GF303",
            Severity.WARNING,
            "gradient is exactly zero on this batch, first at Relu 'net/gate/Relu'",
            hint="",
            variables=names([gate]),
            cause=dead,
        ),
        Finding(
            "GF305",
            Severity.WARNING,
            "vanishing gradient: 1e-07 of the model's median",
            hint="",
            variables=names(faded[:3]),
            cause=None,
        ),
    )
    chain = [f"dense_{n}" for n in range(depth)]
    layers = ["in:x", *chain, "gate", "norm", "head", "out:head"]
    edges = [
        *pairwise(layers[: depth + 1]),
        (chain[-1], "gate", Carried.ZERO, "net/gate/Relu"),
        (chain[-1], "norm"),
        ("gate", "head"),
        ("norm", "head"),
        ("head", "out:head"),
    ]
    model = analyzed("vanishing.keras", variables, findings=findings)
    return Report(TOOL, (with_map(model, layers, edges),))


def deep(blocks: int = 24, each: int = 12) -> Report:
    """A transformer: ``blocks`` groups of ``each`` layers, with a way around each half of them."""
    variables: list[Variable] = []
    parents: dict[str, list[str]] = {}
    layers, edges, last = ["in:ids", "embed"], [("in:ids", "embed", Carried.DISCRETE)], "embed"
    variables += dense("embed", 1000, 64)
    for block in range(blocks):
        inner = [
            f"block_{block}/{part}_{n}"
            for n in range(each // 6)
            for part in ("norm", "query", "key", "value", "mix", "add")
        ]
        parents[f"block_{block}"] = inner
        for name in inner:
            if "add" not in name and "mix" not in name:
                variables += dense(name, 64, 64)
        for half in range(each // 6):
            norm, query, key, value, mix, add = inner[half * 6 : half * 6 + 6]
            edges += [
                (last, norm),
                *((norm, part) for part in (query, key, value)),
                *((part, mix) for part in (query, key, value)),
                (mix, add),
                (last, add),
            ]
            last = add
        layers += inner
    layers += ["head", "out:logits"]
    variables += dense("head", 64, 1000)
    edges += [(last, "head"), ("head", "out:logits")]
    return Report(
        TOOL, (with_map(analyzed("transformer.keras", variables), layers, edges, parents),)
    )
