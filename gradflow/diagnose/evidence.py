"""Hold all that the file, the graph and the tape say about one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Enum

from gradflow.files.freezing import FreezeDoubt
from gradflow.files.model_file import StoredVariable
from gradflow.files.model_layer import ModelLayer
from gradflow.files.saved_model.constants import Constants
from gradflow.findings import Gradient, Output, Verdict
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.routes import Stop
from gradflow.lazy_dataclass import dataclass
from gradflow.options import DEFAULT_THRESHOLDS, Thresholds

GIVES_ZEROS = "hands on only zeros"
"""The ``detail`` of a sighting of which no more is known."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one tape step measured of a variable's gradient."""

    gradient: Gradient | None
    """None where the tape gave None."""
    finite: bool
    """False where an entry is NaN or Inf."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of the tape alone."""
        if self.gradient is None:
            return Verdict.NONE
        if not self.finite:
            return Verdict.NONFINITE
        return Verdict.FLOWS if self.gradient.zero_fraction < 1.0 else Verdict.ZERO


@dataclass(frozen=True, slots=True)
class Sighting:
    """An op at which a real step lost a gradient, or made NaN or Inf of it."""

    kind: Edge
    """A measured kind; or the kind of a cut that only this run leads to."""
    op: str | None
    """Name of the graph node; None where it is in no op (a weight that is NaN itself)."""
    op_type: str | None
    detail: str
    """What was seen there, to follow the op's name in a sentence: ``passes 0 of 64 elements``."""
    layer: str | None = None
    source: str | None = None
    """The user's file and line of the op."""
    fix: str = ""
    """What to do about it; empty where the catalogue says it all."""
    weight: str | None = None
    """The weight of zeros that the gradient is multiplied with."""
    mark: int = 0
    """The node's ``Mark``."""
    reenters_at: str | None = None
    cuts_to_restore: int = 0
    chance: float = 0.0
    """How likely that is in one draw, where what is drawn at random decides over it; else 0."""
    harmless: bool = False
    """The zeros go away with the first update, or the gradient is zero by mathematics."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a step brought with the cuts of the smallest repair let through."""

    norm: float | None = None
    """Of the gradient that arrived; None where it is not finite, or where nothing could be
    tried."""
    stops: tuple[Sighting, ...] = ()
    """What still stops it, each behind the one before; empty where it arrives."""
    obstacle: str = ""
    """Why no such step could be taken."""
    way: tuple[Stop, ...] = ()
    """The way that was repaired, where the graph alone has one without a cut."""


class Mover(str, Enum):
    """What moves a weight that the objective leads no gradient to."""

    ADDED = "added"
    """A loss that a layer adds (``add_loss``)."""
    REGULARIZER = "regularizer"
    ASSIGNED = "assigned"
    """An assignment in a training step, as to a moving average of other weights."""
    OPTIMIZER = "optimizer"
    """The optimizer of a training step, which was given zeros."""


@dataclass(frozen=True, slots=True)
class OtherUse:
    """Another entry of the file, which uses a weight that the one at hand does not reach."""

    entry: str
    """Its label."""
    is_trained: bool
    """Whether its graph leads a gradient to the weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known about a model when the conclusions begin."""

    variables: tuple[StoredVariable, ...]
    measurements: Mapping[str, Measurement] | None = None
    """By variable name; None in a static reading."""
    graph: FlowGraph | None = None
    """None where the file holds no graph, or where nothing needs an explanation."""
    second: Mapping[str, bool] = field(default_factory=dict)
    """Whether a reading of the file alone leads gradient to each weight, by the names of those that
    it knows this of: a second answer beside that of the tape."""
    is_of_layers: bool = False
    """Whether the graph is made of layers, as a Keras file describes them, and not of ops."""
    attributions: Mapping[str, Attribution] = field(default_factory=dict)
    """By variable name; a variable that the entry does not use is not in it."""
    layer_of: Callable[[int], str | None] = lambda _: None
    """The layer that an op belongs to, by its node in the graph."""
    owning_layers: frozenset[str] | None = None
    """The layers, where a scope that owns no variable is none; None where every scope is one, as in
    a model of Keras."""
    layers: Mapping[str, ModelLayer] = field(default_factory=dict)
    """What the model says of its layers, by the path that ``layer_of`` gives."""
    viewer_ids: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """What Model Explorer calls the nodes of a SavedModel, by the names of function and op."""
    raising: tuple[str, ...] = ()
    """Types of the ops at which TensorFlow would have raised an error in the step."""
    sightings: Mapping[str, tuple[Sighting, ...]] = field(default_factory=dict)
    """Where the gradient was seen to die or to become NaN or Inf, by variable name."""
    cancelled: Mapping[str, str] = field(default_factory=dict)
    """What cancels a bias, by the name of each bias whose tiny gradient is a mathematical zero."""
    epsilon: float = 0.0
    """Of the coarsest floating type that the model computes in."""
    has_running_statistics: bool = False
    """A BatchNormalization scales by its moving averages, so that sizes are not those of
    training."""
    selected: tuple[str, ...] = ()
    """The outputs that the user asked for; empty for all."""
    source_of: Callable[[int], str | None] = lambda _: None
    """The user's file and line that an op comes from (``net.py:41``), by its node in the graph."""
    doubts: tuple[FreezeDoubt, ...] = ()
    constants: Constants | None = None
    """What stands in a SavedModel's graph in place of weights, where the entry uses no variable."""
    is_of_loss: bool = False
    """Whether the output is the loss that the model was compiled with."""
    is_exported: bool = False
    """Whether it is a function of a SavedModel, in which no loss is that a layer adds."""
    is_of_step: bool = False
    """Whether the output is the loss of a training step of the user's own."""
    uncovered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The outputs that this loss does not cover and each variable leads to, for those that do not
    lead to the loss."""
    movers: Mapping[str, Mover] = field(default_factory=dict)
    """What moves each weight that the objective leads no gradient to, where anything does."""
    outputs: tuple[Output, ...] = ()
    """The outputs that count: those that the compiled loss depends on alone, where it does."""
    elsewhere: Callable[[str], OtherUse | None] = lambda _: None
    """The entry that uses a weight without a path to the outputs of this one, by its name."""
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    trial: Trial | None = None
    """Of the variable that is followed to the output; None where no cut is on its way."""

    def layer_at(self, node: int) -> str | None:
        """Return the layer that a node of the graph stands in; None where it stands in none."""
        return self.layer(self.layer_of(node))

    def layer(self, scope: str | None) -> str | None:
        """Return the layer that a cause stands in, of the scope that its op stands in."""
        is_layer = self.owning_layers is None or scope in self.owning_layers
        return scope if is_layer else None
