"""Plan a small functional model by random choices, with the cuts planted in it.

A plan says which layers stand where, what reads what, what is shared, nested, cut and frozen.
``truth`` works out from the plan alone what must be found; ``planted`` makes a Keras model of it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

WIDTH = 6
"""Every tensor of a plan is a float32 vector of this width per example."""

LAYERS = ("dense", "dense_norm", "layer_norm", "lstm", "gru", "attention", "concat")
"""Kinds with variables of their own; ``concat`` is a Concatenate and the Dense that brings it back
to WIDTH."""
MERGES = ("add", "multiply", "residual")
"""``residual`` is a Dense whose input is added to its output."""
OPERATION_CUTS = (
    "stop_gradient",
    "argmax",
    "round",
    "floor",
    "integer",
    "greater",
    "sign",
    "top_k",
)
LAYER_CUTS = ("quantise", "bins")
"""Cuts that are made of layers only, so that an ``.h5`` file can hold them; ``bins`` ends in an
Embedding."""
CUTS = (*OPERATION_CUTS, *LAYER_CUTS)
WEIGHTED = (*LAYERS, "residual", "bins")
"""Kinds that own weights."""


@dataclass(frozen=True, slots=True)
class Ref:
    """One tensor: an input or a node by name, and which of its outputs."""

    node: str
    output: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """One application of a layer, an operation or a submodel."""

    name: str
    kind: str
    """One of LAYERS, MERGES, CUTS, or ``submodel``."""
    sources: tuple[Ref, ...]
    layer: str
    """The layer that is applied; two nodes that share a layer name the same one."""
    bias: bool = True
    activation: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A functional model on paper; nodes stand in order, each reads only what stands before it."""

    name: str
    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Ref, ...]
    submodels: dict[str, Plan] = field(default_factory=dict)
    """By the layer name of the nodes that apply them."""
    frozen: frozenset[str] = frozenset()
    """Layers with ``trainable=False``: of this plan, its submodels, or layers inside them."""


class Chooser(Protocol):
    """Where the random choices come from: hypothesis or a seeded generator."""

    def integer(self, low: int, high: int) -> int: ...

    def choice(self, options: Sequence[T]) -> T: ...


@dataclass(frozen=True, slots=True)
class SeededChooser:
    """Choices of ``random.Random``: the same numbers on every machine."""

    source: random.Random

    def integer(self, low: int, high: int) -> int:
        return self.source.randint(low, high)

    def choice(self, options: Sequence[T]) -> T:
        return self.source.choice(options)


@dataclass(frozen=True, slots=True)
class DrawnChooser:
    """Choices of hypothesis, which shrinks them towards the first option."""

    draw: st.DrawFn

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def choice(self, options: Sequence[T]) -> T:
        return self.draw(st.sampled_from(options))


@st.composite
def plans(draw: st.DrawFn, layers_only: bool = False) -> Plan:
    """Strategy of plans; ``layers_only`` leaves out what an ``.h5`` file cannot hold."""
    return choose_plan(DrawnChooser(draw), layers_only)


def seeded_plan(seed: int, layers_only: bool = False) -> Plan:
    """The plan of this seed."""
    return choose_plan(SeededChooser(random.Random(seed)), layers_only)


def choose_plan(chooser: Chooser, layers_only: bool = False) -> Plan:
    """Draw a plan of 2 to 8 nodes, up to two submodels, up to two inputs and up to three
    outputs."""
    names = _Names()
    inputs = tuple(names.new("input") for _ in range(chooser.integer(1, 2)))
    submodels: dict[str, Plan] = {}
    nodes: list[Node] = []
    refs = [Ref(name) for name in inputs]
    for _ in range(chooser.integer(2, 8)):
        node = _choose_node(chooser, names, nodes, refs, submodels, layers_only)
        nodes.append(node)
        count = len(submodels[node.layer].outputs) if node.kind == "submodel" else 1
        refs += [Ref(node.name, output) for output in range(count)]
    outputs = _choose_outputs(chooser, names, nodes)
    plan = _prune(Plan("planted", inputs, tuple(nodes), outputs, submodels))
    return replace(plan, frozen=_choose_frozen(chooser, plan))


def layer_of(variable: str, plan_layers: frozenset[str]) -> str | None:
    """The layer of the plan that owns a variable: ``submodel_n2/dense_norm_n4_norm/gamma`` is
    ``dense_norm_n4``'s."""
    for segment in reversed(variable.split("/")[:-1]):
        if segment.removesuffix("_norm") in plan_layers:
            return segment.removesuffix("_norm")
    return None


@dataclass(slots=True)
class _Names:
    """Names that are unique in the whole plan, so that a variable's name says which layer owns
    it."""

    used: int = 0

    def new(self, kind: str) -> str:
        self.used += 1
        return f"{kind}_n{self.used}"


def _choose_node(
    chooser: Chooser,
    names: _Names,
    before: list[Node],
    refs: list[Ref],
    submodels: dict[str, Plan] | None,
    layers_only: bool,
) -> Node:
    """One more node; ``submodels`` is None inside a submodel, where no further one is nested."""
    shareable = [node for node in before if node.kind in (*WEIGHTED, "submodel")]
    what = chooser.integer(0, 11)
    if what == 11 and shareable:
        twin = chooser.choice(shareable)
        sources = tuple(_choose_ref(chooser, refs) for _ in twin.sources)
        return replace(twin, name=names.new(twin.kind), sources=sources)
    if what == 10 and submodels is not None and len(submodels) < 2:
        layer = names.new("submodel")
        submodels[layer] = _choose_submodel(chooser, names, layer, layers_only)
        return Node(names.new("node"), "submodel", (_choose_ref(chooser, refs),), layer)
    if what <= 3:
        kind = chooser.choice(LAYERS)
    elif what <= 5:
        kind = chooser.choice(MERGES)
    else:
        kind = chooser.choice(LAYER_CUTS if layers_only else CUTS)
    count = 2 if kind in ("add", "multiply", "attention", "concat") else 1
    name = names.new(kind)
    return Node(
        name,
        kind,
        tuple(_choose_ref(chooser, refs) for _ in range(count)),
        layer=name,
        bias=chooser.integer(0, 1) == 1,
        activation=chooser.choice((None, "tanh", "gelu")),
    )


def _choose_ref(chooser: Chooser, refs: list[Ref]) -> Ref:
    """Mostly something recent: chains are where cuts matter."""
    return chooser.choice(refs[-2:]) if chooser.integer(0, 2) else chooser.choice(refs)


def _choose_submodel(chooser: Chooser, names: _Names, name: str, layers_only: bool) -> Plan:
    """One input, 1 to 4 nodes, one or two outputs; the outer model need not use both."""
    entry = names.new("input")
    nodes: list[Node] = []
    refs = [Ref(entry)]
    for _ in range(chooser.integer(1, 4)):
        nodes.append(_choose_node(chooser, names, nodes, refs, None, layers_only))
        refs.append(Ref(nodes[-1].name))
    outputs = [refs[-1]]
    if len(refs) > 2 and chooser.integer(0, 1):
        outputs.append(chooser.choice(refs[1:-1]))
    return _prune(Plan(name, (entry,), tuple(nodes), tuple(outputs)))


def _choose_outputs(chooser: Chooser, names: _Names, nodes: list[Node]) -> tuple[Ref, ...]:
    """What nobody reads, at most two of them, and perhaps one tensor from the middle."""
    while True:
        read = {source.node for node in nodes for source in node.sources}
        sinks = [Ref(node.name) for node in nodes if node.name not in read]
        if len(sinks) <= 2:
            break
        name = names.new("concat")
        nodes.append(Node(name, "concat", (sinks[0], sinks[1]), layer=name))
    middle = [Ref(node.name) for node in nodes if Ref(node.name) not in sinks]
    if middle and chooser.integer(0, 4) == 0:
        sinks.append(chooser.choice(middle))
    return tuple(sinks)


def _prune(plan: Plan) -> Plan:
    """Drop the nodes that no output reads: ``keras.Model(inputs, outputs)`` drops them too."""
    needed = {ref.node for ref in plan.outputs}
    kept: list[Node] = []
    for node in reversed(plan.nodes):
        if node.name in needed:
            kept.append(node)
            needed |= {source.node for source in node.sources}
    applied = {node.layer for node in kept}
    submodels = {name: inner for name, inner in plan.submodels.items() if name in applied}
    inputs = tuple(name for name in plan.inputs if name in needed)
    return replace(plan, inputs=inputs, nodes=tuple(reversed(kept)), submodels=submodels)


def _choose_frozen(chooser: Chooser, plan: Plan) -> frozenset[str]:
    """Each layer, submodel, and layer inside a submodel is frozen in one case of six."""
    layers = [node.layer for node in plan.nodes if node.kind in (*WEIGHTED, "submodel")]
    for inner in plan.submodels.values():
        layers += [node.layer for node in inner.nodes if node.kind in WEIGHTED]
    return frozenset(layer for layer in dict.fromkeys(layers) if chooser.integer(0, 5) == 5)
