"""A loaded model as the step sees it: inputs, a call, watched variables, a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradflow.files.freezing import FreezeDoubt
from gradflow.files.model_file import StoredVariable, with_state
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.findings import Role
from gradflow.flow.graph import FlowGraph
from gradflow.flow.layer_scopes import layer_finder, variable_layers
from gradflow.flow.origins import place_finder
from gradflow.tape.inputs.batch import Composite
from gradflow.tape.inputs.graph_hints import Knowledge
from gradflow.tape.trace import Trace, lower_trace


@dataclass(frozen=True, slots=True)
class Watched:
    """A variable's record and the live ``tf.Variable``; None where the entry does not use it."""

    stored: StoredVariable
    variable: Any | None


SINGLE = float(np.finfo(np.float32).eps)
HALVES = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Epsilon of the short floating types."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that can be stepped."""

    producer: str | None
    entry: str
    inputs: tuple[TensorInfo, ...]
    id_limit: int | None
    """Integers below this are valid indexes of every embedding; None where nothing is known."""
    call: Callable[[Sequence[Any]], list[tuple[str, Any]]]
    """Tensors in the order of ``inputs`` in, named output tensors out."""
    watched: tuple[Watched, ...]
    trace: Callable[[Sequence[Any]], Trace]
    """The batch in, the trace of the same call out."""
    layers: Mapping[str, str] | None = None
    """Path of every layer by its name; None where only the variables tell of layers."""
    stored_graph: Callable[[Sequence[str]], FlowGraph] | None = None
    """The selected output names in, the graph that the file holds out; None where it has to be
    traced."""
    lost_gradients: frozenset[str] = frozenset()
    """Custom gradients that the graph names and the file does not hold, by their
    ``_gradient_op_type``."""
    epsilon: float = SINGLE
    """Of the coarsest floating type that the model computes in."""
    shifted: Callable[[], Iterable[str]] = tuple
    """The biases whose shift a BatchNormalization takes out again, told without a graph."""
    is_training: bool = False
    """Whether the call normalizes by the batch, as training does, where it has a choice."""
    doubts: tuple[FreezeDoubt, ...] = ()
    describe: Callable[[Sequence[Any]], list[StoredVariable | None]] | None = None
    """Records of variables that the call reads and no layer tracks, None for what is no weight; not
    set where the file itself says what is tracked."""
    learn: Callable[[], Knowledge] | None = None
    """Asks the graph what it does with the inputs."""
    knows_graph: bool = False
    """Whether that costs next to nothing."""
    composites: tuple[Composite, ...] = ()
    """Which of ``inputs`` are parts of one sparse or ragged tensor."""

    def with_state(self, patterns: Sequence[str]) -> Subject:
        """The same with the variables that ``patterns`` cover as state."""
        stored = with_state((item.stored for item in self.watched), patterns)
        watched = (
            replace(item, stored=one) for item, one in zip(self.watched, stored, strict=True)
        )
        return replace(self, watched=tuple(watched))

    @property
    def handles(self) -> Mapping[int, str]:
        """Variable names by the ``id`` of their handle."""
        return {
            id(item.variable.handle): item.stored.name
            for item in self.watched
            if item.variable is not None
        }

    @property
    def has_running_statistics(self) -> bool:
        """Whether a BatchNormalization scales by its moving averages, so that sizes are not those
        of training."""
        names = [
            item.stored.name
            for item in self.watched
            if item.stored.role is Role.STATE and item.variable is not None
        ]
        return not self.is_training and any(name.endswith("moving_variance") for name in names)

    def graph(self, batch: Sequence[Any], selected: Sequence[str]) -> FlowGraph:
        """The graph of the call on ``batch``, to the outputs called ``selected`` (empty for
        all)."""
        if self.stored_graph is not None:
            return self.stored_graph(selected)
        return lower_trace(self.trace(batch), self.handles, selected)

    def layer_of(self, graph: FlowGraph | None) -> Callable[[int], str | None]:
        """A function from a node of ``graph`` to its layer."""
        names = graph.names if graph is not None else ()
        complete = self.layers is not None
        layers = (
            variable_layers(item.stored.layer for item in self.watched)
            if self.layers is None
            else self.layers
        )
        return place_finder(graph, layer_finder(names, layers, complete=complete))
