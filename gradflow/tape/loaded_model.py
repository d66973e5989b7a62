"""Define what an analysis asks of a loaded model, whatever has loaded it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import tensorflow as tf

from gradflow.diagnose import Measurement, Mover, Sighting, Trial
from gradflow.files.freezing import FreezeDoubt
from gradflow.files.model_file import StoredVariable, with_state
from gradflow.files.model_layer import ModelLayer
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.findings import Output, Role
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import FlowGraph
from gradflow.flow.layer_scopes import layer_finder, variable_layers
from gradflow.flow.origins import noted_layer_finder
from gradflow.options import Options
from gradflow.progress import Progress
from gradflow.tape.inputs.batch import Batch, Composite
from gradflow.tape.inputs.graph_hints import Knowledge
from gradflow.tape.trace import Trace

Model = TypeVar("Model", bound="LoadedModel")
NamedTensors = list[tuple[str, Any]]
"""Tensors, each after its name."""
OUTPUTS = "outputs"
"""What is differentiated where no loss is."""
SINGLE = float(np.finfo(np.float32).eps)
HALVES = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Epsilon of the short floating types."""


def dense_parts(name: str, value: Any) -> NamedTensors:
    """Return an output as plain tensors: three for a sparse one, the values and the row splits of a
    ragged one; named as in the signatures of a SavedModel."""
    if isinstance(value, tf.SparseTensor):
        parts = ("indices", "values", "dense_shape")
        return [(f"{name}/{part}", getattr(value, part)) for part in parts]
    flat = tf.nest.flatten(value, expand_composites=True)
    if len(flat) == 1 and flat[0] is value:
        return [(name, value)]
    return [(f"{name}/{number}", part) for number, part in enumerate(flat)]


@dataclass(frozen=True, slots=True)
class Watched:
    """A variable whose gradient is measured."""

    stored: StoredVariable
    """Its record."""
    variable: Any | None
    """The live ``tf.Variable``, or its op in a graph of TensorFlow 1; None where the entry does not
    use it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One forward and backward pass."""

    watched: tuple[Watched, ...]
    """The model's variables, and those that the forward pass read and no layer tracks."""
    batch: Batch
    outputs: tuple[Output, ...]
    measured: Mapping[str, Measurement]
    """By variable name."""
    gradients: Mapping[str, Any] = field(default_factory=dict)
    """By variable name, where they were asked for: a tensor, IndexedSlices or None each."""
    raising: tuple[str, ...] = ()
    """Types of the ops at which TensorFlow would have raised an error."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What more runs, and the graph, say about the gradients of a step."""

    measured: Mapping[str, Measurement]
    """By variable name: those of the step, and of other batches where they had more to say."""
    graph: FlowGraph | None = None
    """None where nothing needs an explanation, or where the call cannot be traced."""
    attributions: Mapping[str, Attribution] = field(default_factory=dict)
    sightings: Mapping[str, tuple[Sighting, ...]] = field(default_factory=dict)
    """Where a gradient was seen to die or to become NaN or Inf, by variable name."""
    cancelled: Mapping[str, str] = field(default_factory=dict)
    """What cancels the gradient, for each bias whose gradient is zero by mathematics."""
    uncovered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The outputs that the compiled loss does not cover and each variable leads to, for those that
    do not lead to the loss."""
    trial: Trial | None = None
    """Of the smallest repair of the variable that is followed to the output."""
    movers: Mapping[str, Mover] = field(default_factory=dict)
    """What moves each weight that the objective leads no gradient to, where anything does."""
    repair: Callable[[str], tuple[Trial | None, Mapping[str, Attribution]]] | None = None
    """Tries the smallest repair of a weight, as for one that is followed: ``trial`` and
    ``attributions`` of it. The model is left as it was."""
    trace_map: Callable[[], FlowGraph | None] = lambda: None
    """Traces what a map is drawn of where ``graph`` is None: it explains nothing."""


class LoadedModel(Protocol):
    """A model that can be stepped. There is one class for each way to load one.

    What has a value here is right for most models, and the others set it.
    """

    producer: str | None
    entry: str
    watched: tuple[Watched, ...]
    epsilon: float = SINGLE
    """Of the coarsest floating type that the model computes in."""
    doubts: tuple[FreezeDoubt, ...] = ()
    layers: Mapping[str, str] | None = None
    """Path of every layer by its name; None where only the variables tell of layers."""
    scopes_are_layers: bool = True
    """Whether a scope that owns no variable is a layer too, as it is in a model of Keras."""
    is_training: bool = False
    """Whether the call normalizes by the batch, as training does, where it has a choice."""
    unused_loss: str = ""
    """Why the loss that the model was compiled with is not differentiated; empty where it is, or
    where there is none."""
    finds_untracked: bool = False
    """Whether a step can find weights that no layer tracks; not where the file itself says what is
    tracked."""

    def step(self, options: Options) -> Step:
        """Draw a batch that the model accepts and measure the gradient of every variable.

        Raises:
            InputError: no synthetic batch is accepted.
            UsageError: a selected output or a given input does not exist.
        """

    def explain(self, step: Step, options: Options, progress: Progress) -> Explanation:
        """Find out where gradients of ``step`` that are missing, zero, tiny or not finite were
        lost."""

    @property
    def objective(self) -> str:
        """What is differentiated; of a loss, once the model was stepped."""
        return OUTPUTS

    @property
    def is_of_loss(self) -> bool:
        """Return whether the loss that the model was compiled with is differentiated."""
        return False

    @property
    def has_made_up_targets(self) -> bool:
        """Return whether nobody knows which targets that loss takes."""
        return False

    @property
    def own_outputs(self) -> Sequence[Output]:
        """Return the model's outputs where its loss was stepped; none where they were."""
        return ()

    @property
    def covered_outputs(self) -> Sequence[Output]:
        """Return those through which alone that loss depends on the weights."""
        return ()

    def on_outputs(self, reason: str) -> LoadedModel:
        """Return the same model with its outputs to differentiate; ``reason``: why not its loss."""
        return self

    def with_watched(self: Model, watched: Sequence[Watched]) -> Model:
        """Return the same model with these variables."""
        model = copy.copy(self)
        model.watched = tuple(watched)
        return model

    def with_state(self: Model, patterns: Sequence[str]) -> Model:
        """Return the same model with the variables that ``patterns`` cover as state."""
        records = with_state((item.stored for item in self.watched), patterns)
        return self.with_watched(
            [
                replace(item, stored=stored)
                for item, stored in zip(self.watched, records, strict=True)
            ]
        )

    @property
    def stored(self) -> tuple[StoredVariable, ...]:
        """The records of all variables."""
        return tuple(item.stored for item in self.watched)

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

    def model_layers(self) -> Mapping[str, ModelLayer]:
        """Return what the model says of its layers, by the path that ``layer_of`` gives."""
        return {}

    def viewer_ids(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        """Return what Model Explorer calls the nodes of the file's own graph; see ``Evidence``."""
        return {}

    @property
    def owning_layers(self) -> frozenset[str] | None:
        """The layers that own variables, where no other scope is a layer; else None."""
        if self.scopes_are_layers:
            return None
        return frozenset(variable_layers(stored.layer for stored in self.stored).values())

    def layer_of(self, graph: FlowGraph | None) -> Callable[[int], str | None]:
        """Return a function from a node of ``graph`` to its layer."""
        names = graph.names if graph is not None else ()
        layers = (
            variable_layers(stored.layer for stored in self.stored)
            if self.layers is None
            else self.layers
        )
        return noted_layer_finder(
            graph, layer_finder(names, layers, complete=self.layers is not None)
        )


class CallableModel(LoadedModel, Protocol):
    """A model that TensorFlow 2 calls on a batch: a GradientTape sees what it does."""

    inputs: tuple[TensorInfo, ...]
    composites: tuple[Composite, ...] = ()
    """Which of ``inputs`` are parts of one sparse or ragged tensor."""
    id_limit: int | None = None
    """Integers below this are valid indexes of every embedding; None where nothing is known."""
    knows_graph: bool = False
    """Whether ``learn`` costs next to nothing, or is needed before the first step."""
    has_own_code: bool = True
    """Whether the call runs code that is not Keras's own."""
    has_stored_graph: bool = False
    """Whether the file holds the graph of the call, so that it need not be traced."""
    lost_gradients: frozenset[str] = frozenset()
    """Custom gradients that the graph names and the file does not hold, by their
    ``_gradient_op_type``."""

    def call(self, tensors: Sequence[Any]) -> NamedTensors:
        """Call the model on ``tensors``, in the order of ``inputs``; return its outputs."""

    def trace(self, batch: Sequence[Any]) -> Trace:
        """Trace the call on tensors shaped like ``batch``."""

    def stored_graph(self, selected: Sequence[str]) -> FlowGraph:
        """Return the graph that the file holds, to the outputs called ``selected`` (empty for
        all)."""

    def learn(self) -> Knowledge:
        """Ask the graph, once, what it does with the inputs."""

    def describe(self, variables: Sequence[Any]) -> Sequence[StoredVariable | None]:
        """Records of variables that the call reads and no layer tracks; None for what is no
        weight."""

    def shifted_before_normalization(self) -> Mapping[str, str]:
        """Return the biases whose shift a normalization subtracts again, as the layers alone show;
        to each what subtracts it."""
        return {}

    @property
    def uncovered(self) -> Sequence[str]:
        """Return the outputs that the compiled loss does not cover."""
        return ()

    def trace_outputs(self, batch: Sequence[Any]) -> Trace:
        """As ``trace``, of the outputs alone where a loss is stepped."""

    @property
    def handles(self) -> Mapping[int, str]:
        """Variable names by the ``id`` of their handle."""
        return {
            id(item.variable.handle): item.stored.name
            for item in self.watched
            if item.variable is not None
        }
