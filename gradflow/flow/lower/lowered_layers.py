"""Choose which outputs of a Keras model that was laid out count: some of them, or a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradflow.flow.graph import Edge, FlowGraph, GraphBuilder
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.families import WEIGHTLESS


@dataclass(frozen=True, slots=True)
class Arrival:
    """An input or an output of the model."""

    name: str
    node: int
    is_floating: bool
    dtype: str | None
    shape: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class LoweredLayers:
    """A model that was laid out, before it is decided which of its outputs count."""

    builder: GraphBuilder
    variables: Mapping[str, int]
    """Node of each variable, by its name; a variable of a layer that is not called is in it too."""
    inputs: Sequence[Arrival]
    outputs: Sequence[Arrival]
    layers: list[str | None]
    """The layer of each node."""
    adding: Sequence[tuple[int, bool]]
    """Nodes whose value a layer may add to the loss by itself, and whether that is certain."""

    def graph(self, names: Sequence[str]) -> FlowGraph:
        """Return the graph in which the outputs ``names`` count; all of them where none is
        named."""
        chosen = [output for output in self.outputs if not names or output.name in names]
        floating = [output.node for output in chosen if output.is_floating]
        discrete = [output.node for output in chosen if not output.is_floating]
        return self.builder.build(
            self.variables,
            outputs=list(dict.fromkeys(floating)),
            discrete_outputs=list(dict.fromkeys(discrete)),
        )

    def graph_of_loss(self, weights: Mapping[str, float]) -> FlowGraph:
        """Return the graph of a loss to which layers may add what they compute.

        ``weights``: the outputs that it covers, each with the weight that ``loss_weights`` gives.
        """
        builder = self.builder
        loss = builder.node("loss", "Loss")
        self.layers.append(None)
        for output in self.outputs:
            if output.name in weights:
                kind = Edge.FLOW if output.is_floating else Edge.DISCRETE
                node = loss if weights[output.name] else self._weightless(output.name, loss)
                is_zero = node != loss and output.is_floating
                builder.edge(output.node, node, Edge.ZERO if is_zero else kind)
        for node, is_certain in self.adding:
            builder.edge(node, loss, Edge.FLOW if is_certain else Edge.UNKNOWN)
        return builder.build(self.variables, outputs=[loss])

    def _weightless(self, name: str, loss: int) -> int:
        """Return the node that multiplies the loss of the output ``name`` by zero."""
        node = self.builder.node(f"loss_weights/{name}", WEIGHTLESS)
        self.layers.append(None)
        self.builder.edge(node, loss, Edge.FLOW)
        return node
