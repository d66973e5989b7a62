"""Lay out the ways on which gradient comes from one output of a layer's call to what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Protocol

from gradflow.files.keras.config import LayerConfig
from gradflow.flow.graph import Edge
from gradflow.flow.lower.layout import Tensor
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.layer_rows import Behaviour, Kind, Pass, Passage, matches

_EDGES = {Kind.CUT: Edge.CUT, Kind.ZERO: Edge.ZERO, Kind.SHAPE: Edge.SHAPE}
_CAST = Pass(Kind.DISCRETE, "Cast")


@dataclass(frozen=True, slots=True)
class Weight:
    """A variable of the file, and where it stands among the layers."""

    name: str
    layer: LayerConfig
    """The innermost layer around it that stands in the configuration."""
    path: str
    """Its path below that layer: ``kernel``, ``lstm_cell/kernel``."""


class Growing(Protocol):
    """A graph of layers that is being laid out."""

    def node(self, name: str, op: str, layer: LayerConfig | None) -> int:
        """Add a node and return its number."""
        ...

    def layer_node(self, name: str, layer: LayerConfig) -> int:
        """Add a node for what a call of a layer returns."""
        ...

    def edge(self, source: Tensor, consumer: int, kind: Edge) -> None:
        """Add an edge."""
        ...


@dataclass(slots=True)
class CallOutput:
    """Lays out the ways to one output of one call."""

    graph: Growing
    layer: LayerConfig
    name: str
    number: int
    is_floating: bool
    node: int = field(init=False)
    _steps: dict[tuple[Pass, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.node = self.graph.layer_node(self.name, self.layer)

    def lay_out(
        self,
        known: Behaviour,
        tensors: Sequence[Tensor],
        weights: Iterable[tuple[Weight, int]],
        *,
        needs_cast: bool,
    ) -> None:
        """Connect the tensors and the weights of the call with the output."""
        for position, tensor in enumerate(tensors):
            passages = [passage for passage in known.passages if passage.source == position]
            self._connect(tensor, passages, known.apart, [position], needs_cast)
        for weight, node in weights:
            patterns = [
                passage.source
                for passage in known.passages
                if isinstance(passage.source, str) and matches(passage.source, weight.path)
            ]
            passages = [passage for passage in known.passages if passage.source in patterns]
            apart = [
                source
                for source in known.apart
                if isinstance(source, str) and matches(source, weight.path)
            ]
            self._connect(Tensor(node, True), passages, known.apart, apart, needs_cast)

    def _connect(
        self,
        source: Tensor,
        passages: Sequence[Passage],
        apart: Sequence[int | str],
        own: Sequence[int | str],
        needs_cast: bool,
    ) -> None:
        if not passages and not any(item in apart for item in own):
            self.graph.edge(source, self.node, Edge.UNKNOWN)
        for passage in passages:
            if passage.output in (None, self.number):
                self._way(source, passage.steps, needs_cast)

    def _way(self, source: Tensor, steps: tuple[Pass, ...], needs_cast: bool) -> None:
        if steps and not source.floating and steps[0] == _CAST:
            steps = steps[1:]
        is_cast = any(step.kind is Kind.DISCRETE for step in steps)
        if needs_cast and source.floating and not self.is_floating and not is_cast:
            steps = (*steps, _CAST)
        last = source
        for index, step in enumerate(steps):
            is_new = steps[index:] not in self._steps
            node = self._step_node(steps[index:])
            # Where the way joins one that is laid out, the rest of it is there already.
            kind = Edge.UNKNOWN if step.kind is Kind.UNKNOWN else _EDGES.get(step.kind, Edge.FLOW)
            self.graph.edge(last, node, kind)
            if not is_new:
                return
            last = Tensor(node, step.kind not in (Kind.DISCRETE, Kind.SHAPE))
        self.graph.edge(last, self.node, Edge.FLOW)

    def _step_node(self, steps: tuple[Pass, ...]) -> int:
        if steps not in self._steps:
            step = steps[0]
            label = f"{self.name}/{step.label or step.op_type}"
            self._steps[steps] = self.graph.node(label, step.op_type, self.layer)
        return self._steps[steps]
