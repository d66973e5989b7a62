"""Describe what a SavedModel holds: its entries, their inputs and outputs, its variables and its
graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from gradflow.files.frames import Frame
from gradflow.files.freezing import FreezeDoubt
from gradflow.files.model_file import StoredVariable
from gradflow.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Name, data type and shape of an input or output; ``shape`` is None where the rank is
    unknown."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class SparseInput:
    """The names of the three inputs that stand for one sparse tensor, and the shape of the
    whole."""

    indices: str
    values: str
    dense_shape: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One function of the file that can be called."""

    name: str
    """Of the signature, or of the attribute that holds the function (``encoder.__call__``)."""
    label: str
    """The name with what tells the function's variants apart, such as ``__call__(training=True)``;
    unique."""
    is_signature: bool
    function: str | None
    """Name in the function library; None for a TF1 graph, whose ``outputs`` are tensors of the
    graph itself."""
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    output_index: tuple[int, ...]
    """For each of ``outputs``, its place among the function's results."""
    tensors: tuple[str, ...]
    """TF1: for each of ``outputs``, the tensor's name in the graph."""
    captured: tuple[str | None, ...]
    """Names of the variables that the function's last arguments stand for; None for other
    captures."""
    feeds: tuple[str, ...] = ()
    """TF1: for each of ``inputs``, the tensor's name in the graph."""
    sparse: tuple[SparseInput, ...] = ()
    """TF1: which of ``inputs`` belong together."""
    reached: tuple[str, ...] = ()
    """TF1: names of the variables that some of ``outputs`` depends on."""
    variant: int = 0
    """Number of the variant among those of the same name."""
    training: bool | None = None
    """The mode that the variant was traced for; None where it has no choice."""

    uses: frozenset[str] = field(init=False, repr=False, compare=False)
    """Names of the variables that it computes with."""

    def __post_init__(self) -> None:
        """Derive ``uses`` once: it is asked for each variable of the file."""
        uses = frozenset(self.reached).union(name for name in self.captured if name is not None)
        object.__setattr__(self, "uses", uses)


@dataclass(frozen=True, slots=True)
class SavedModelContents:
    """What one graph of a SavedModel holds; nearly every file has one graph only."""

    producer: str | None
    entries: tuple[Entry, ...]
    variables: tuple[StoredVariable, ...]
    graph_def: Any
    op_defs: Sequence[Any]
    graph_variables: Mapping[str, str]
    """TF1: variable name by the node of the graph that holds it."""
    custom_gradients: Mapping[str, tuple[bool | None, ...]]
    """For each custom gradient that was saved, by its ``_gradient_op_type``: to which inputs it
    returns a gradient; None where the file does not say what it returns."""
    recomputed: frozenset[str]
    """Those of them that are of ``tf.recompute_grad``."""
    frames: Callable[[str, str], Sequence[Frame] | None]
    """From a function's and an op's name to the stack that created the op, as
    ``debug_info.frames_finder`` reads it."""
    doubts: tuple[FreezeDoubt, ...]
    disabled: frozenset[str] = frozenset()
    """TF1: nodes of the graph that let no gradient in, as those in which a loop without
    backpropagation ends."""
    tags: tuple[str, ...] = field(default=("serve",))
    """What the graph is called among those of the file."""
    has_layers: bool = True
    """Whether the scopes of ops are layers; in a file of a ``tf.Module`` they can be anything."""
    is_only: bool = True
    """Whether the file has no other graph."""


def variables_of(contents: SavedModelContents, entry: Entry | None) -> tuple[StoredVariable, ...]:
    """Return the variables of the model: of those that no layer tracks, the ones that ``entry``
    uses."""
    uses = entry.uses if entry is not None else frozenset[str]()
    return tuple(
        variable
        for variable in contents.variables
        if not variable.untracked or variable.name in uses
    )
