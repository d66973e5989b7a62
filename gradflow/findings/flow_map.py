"""Define the map of gradient flow: the model as people see it, in layers and not in ops."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from gradflow.findings.wire_names import INTERNAL, written_as
from gradflow.lazy_dataclass import dataclass

DEEPEST = 100
"""Levels of a map that are under its first one, at most."""


class NodeKind(str, Enum):
    """What a node of the map stands for."""

    INPUT = "input"
    LAYER = "layer"
    OPERATION = "operation"
    """An op that stands in no layer, or several of them in a row."""
    OUTPUT = "output"


class NodeState(str, Enum):
    """What the verdicts of a node's weights come to; ``passes`` where it has no weight."""

    FLOWS = "flows"
    NONE = "none"
    ZERO = "zero"
    NONFINITE = "nonfinite"
    FROZEN = "frozen"
    """No weight of it is trainable."""
    MIXED = "mixed"
    """Its weights differ."""
    UNKNOWN = "unknown"
    PASSES = "passes"


class Carried(str, Enum):
    """What comes back over an edge, from the node that the data goes to."""

    FLOWS = "flows"
    CUT = "cut"
    """Gradient comes up to here, and an op between the two nodes holds it back."""
    ZERO = "zero"
    """As ``cut``, where all that comes through is exactly zero."""
    DISCRETE = "discrete"
    """As ``cut``, where the data is integers, booleans or strings here."""
    UNKNOWN = "unknown"
    """Nobody knows: an op on it, or on the way from the outputs to it, is not known."""
    NONE = "none"
    """No gradient comes up to here: it is held back before, or no output is reached."""


@dataclass(frozen=True, slots=True)
class MapNode:
    """A layer, an op that stands alone, an input or an output; or a node that holds others."""

    id: int
    """Unique in the map; a parent has a smaller one than what it holds."""
    name: str
    """Of a layer as variables and causes have it; else of the op, the input or the output."""
    parent: int | None
    """The node that holds it: a submodel, or a block of layers. None at the top."""
    kind: NodeKind
    class_name: str | None = field(metadata=written_as("class"))
    """Class of a layer, op type of an op; None where it is not known, or holds several."""
    state: NodeState
    weights: int
    """Frozen ones included; of a parent the sum over what it holds, as are the other numbers."""
    parameters: int
    """Entries of these weights."""
    norm: float | None
    """Euclidean norm of their gradient; None where there is none, or it is not finite."""
    variables: tuple[str, ...] = field(default=(), metadata=INTERNAL)
    """Names of the weights of a node that holds no other."""
    viewer_ids: tuple[tuple[str, str], ...] = field(default=(), metadata=INTERNAL)
    """Its ops in a SavedModel, as Model Explorer names them: the graph, and the id in it."""


@dataclass(frozen=True, slots=True)
class MapEdge:
    """Data that goes from one node to another; neither of them holds others."""

    source: int = field(metadata=written_as("from"))
    target: int = field(metadata=written_as("to"))
    gradient: Carried
    cuts: tuple[str, ...]
    """Names of the ops that hold the gradient back here, which are causes of the report."""
    viewer_ids: tuple[tuple[str, str], ...] = field(default=(), metadata=INTERNAL)
    """The same ops, as Model Explorer names them."""


@dataclass(frozen=True, slots=True)
class FlowMap:
    """The map of one model: nodes in the order of the data, from input to output."""

    nodes: tuple[MapNode, ...]
    edges: tuple[MapEdge, ...]
    handles: tuple[tuple[str, tuple[str, str]], ...] = field(default=(), metadata=INTERNAL)
    """Weights that Model Explorer shows as a node of their own, by name."""
