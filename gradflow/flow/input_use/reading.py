"""Describe a node that reads an input, what is known of the input, and how its entries move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradflow.flow.input_use.uses import Source, Table, Text, Use
from gradflow.flow.input_use.wires import Frame, Wiring
from gradflow.lazy_dataclass import dataclass

_SPARSE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        "SparseTensorDenseMatMul SparseReorder SparseReshape SparseFillEmptyRows SparseReduceSum "
        "SparseSlice "
        "SparseReduceMax SparseSoftmax DeserializeSparse SparseDenseCwiseMul SparseDenseCwiseAdd "
        "SparseTensorDenseAdd SparseAdd SparseSplit AddSparseToTensorsMap "
        "SparseTensorToCSRSparseMatrix".split(),
        ("indices", "values", "dense_shape"),
    ),
    "SparseToDense": ("indices", "dense_shape", "values"),
}
"""Which part of a sparse tensor the first inputs of an op are."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The entries of an input on their way through the graph."""

    source: Source
    least: float = 0.0
    """Added to every entry, at least and at most."""
    most: float = 0.0
    is_exact: bool = True
    """They are the entries, but for what was added."""
    is_shaped: bool = True
    """They stand where they stood."""
    is_scaled: bool = True
    """They have the sign that they had."""


@dataclass(slots=True)
class Marks:
    """What was seen of one input so far."""

    index: bool = False
    low: int = 0
    high: int | None = None
    mask: bool = False
    length: bool = False
    size: bool = False
    sorted: bool = False
    positive: bool = False
    share: bool = False
    text: Text | None = None
    base64: bool = False
    split: bool = False
    table: Table | None = None
    rank: int | None = None
    last: int | None = None
    is_splits: bool = False

    def below(self, rows: float | None, moved: Moved) -> None:
        """Note that the entries are row numbers, of a table of ``rows`` where that is known."""
        self.index = True
        self.low = max(self.low, -int(moved.least))
        if rows is not None:
            limit = max(1, int(rows - moved.most))
            self.high = limit if self.high is None else min(self.high, limit)

    def use(self) -> Use:
        """Return the same as a value."""
        return Use(
            is_index=self.index,
            low=min(self.low, (self.high or self.low + 1) - 1),
            high=self.high,
            is_mask=self.mask and not self.index,
            is_length=self.length and not self.index,
            is_size=self.size and not self.index and not self.length,
            is_sorted=self.sorted,
            positive=self.positive,
            is_share=self.share,
            text=self.text,
            is_base64=self.base64,
            is_split=self.split,
            table=self.table,
            rank=self.rank,
            last=self.last,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """A node that reads a tensor as its input number ``input_number``."""

    wiring: Wiring
    frame: Frame
    number: int
    node: Any
    input_number: int

    def numbers(self, input_number: int) -> list[float] | None:
        """Return the entries of another input, where it is a small constant."""
        inputs = self.frame.wires.inputs[self.number]
        return (
            self.wiring.numbers(self.frame, inputs[input_number])
            if input_number < len(inputs)
            else None
        )

    def at_most(self, input_number: int) -> float | None:
        """Return a bound of another input that is a single number: its value, or one of those that
        it is the minimum of."""
        frame, reference = self.wiring.origin(
            self.frame, self.frame.wires.inputs[self.number][input_number]
        )
        node = frame.node(reference)
        parts = (
            frame.wires.inputs[reference[0]]
            if node is not None and node.op == "Minimum"
            else (reference,)
        )
        bounds = [numbers[0] for part in parts if (numbers := self.wiring.numbers(frame, part))]
        return min(bounds, default=None)

    def shape(self, input_number: int) -> tuple[int | None, ...] | None:
        """Return the shape of another input, where the graph knows it."""
        inputs = self.frame.wires.inputs[self.number]
        return (
            self.wiring.shape(self.frame, inputs[input_number])
            if input_number < len(inputs)
            else None
        )

    def size(self, input_number: int, axis: int) -> int | None:
        """One dimension of another input."""
        shape = self.shape(input_number)
        return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None

    def behind(self, input_number: int) -> str:
        """Return the op type that another input comes from."""
        frame, reference = self.wiring.origin(
            self.frame, self.frame.wires.inputs[self.number][input_number]
        )
        node = frame.node(reference)
        return node.op if node is not None else ""

    def sparse_role(self) -> str | None:
        """Return which part of a sparse tensor the op takes the input for."""
        roles = _SPARSE.get(self.node.op, ())
        return roles[self.input_number] if self.input_number < len(roles) else None
