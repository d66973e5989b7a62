"""One op that reads an input in, what that says about the input's values out, and how they go on behind the op."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradflow.files.dtypes import dtype_name
from gradflow.flow.uses import Source, Table, Text, Use
from gradflow.flow.wires import Frame, Wiring

_LARGE = 100.0
"""What a masked score is set off by, at least: -1e9, -10000, ..."""
_SPLITS = re.compile(r"row_?splits|splitsto|rowpartition|raggedfrom|raggedtensorfrom", re.IGNORECASE)
_SEGMENTS = frozenset("SegmentSum SegmentMean SegmentMax SegmentMin SegmentProd".split())
_LENGTHS: Mapping[str, int] = {"ReverseSequence": 1, "CudnnRNNV3": 4, "CTCLoss": 3}
_COMPARISONS = frozenset("Less LessEqual Greater GreaterEqual".split())
_IMAGES = frozenset("DecodeJpeg DecodePng DecodeBmp DecodeGif DecodeImage DecodeAndCropJpeg ExtractJpegShape".split())
_POSITIVE = frozenset("Log Sqrt Rsqrt Lgamma Digamma".split())
_SHARES = frozenset("Acos Asin Atanh Erfinv Ndtri".split())
_SIZES: Mapping[str, frozenset[int]] = {
    **dict.fromkeys("Reshape Tile BroadcastTo TopKV2 Range".split(), frozenset({1})),
    **dict.fromkeys(
        "Fill RandomUniform RandomStandardNormal TruncatedNormal TensorListReserve".split(), frozenset({0})
    ),
    "Slice": frozenset({2}),
}
_SPARSE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        "SparseTensorDenseMatMul SparseReorder SparseReshape SparseFillEmptyRows SparseReduceSum SparseSlice "
        "SparseReduceMax SparseSoftmax DeserializeSparse SparseDenseCwiseMul SparseDenseCwiseAdd "
        "SparseTensorDenseAdd SparseAdd SparseSplit AddSparseToTensorsMap SparseTensorToCSRSparseMatrix".split(),
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
        """The same as a value."""
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
    """A node that reads a tensor as its input number ``place``."""

    wiring: Wiring
    frame: Frame
    number: int
    node: Any
    place: int

    def numbers(self, place: int) -> list[float] | None:
        """The entries of another input, where it is a small constant."""
        inputs = self.frame.wires.inputs[self.number]
        return self.wiring.numbers(self.frame, inputs[place]) if place < len(inputs) else None

    def at_most(self, place: int) -> float | None:
        """A bound of another input that is a single number: its value, or one of those that it is the minimum of."""
        frame, reference = self.wiring.origin(self.frame, self.frame.wires.inputs[self.number][place])
        node = frame.node(reference)
        parts = frame.wires.inputs[reference[0]] if node is not None and node.op == "Minimum" else (reference,)
        found = [numbers[0] for part in parts if (numbers := self.wiring.numbers(frame, part))]
        return min(found, default=None)

    def shape(self, place: int) -> tuple[int | None, ...] | None:
        """The shape of another input, where the graph knows it."""
        inputs = self.frame.wires.inputs[self.number]
        return self.wiring.shape(self.frame, inputs[place]) if place < len(inputs) else None

    def size(self, place: int, axis: int) -> int | None:
        """One dimension of another input."""
        shape = self.shape(place)
        return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None

    def behind(self, place: int) -> str:
        """The op type that another input comes from."""
        frame, reference = self.wiring.origin(self.frame, self.frame.wires.inputs[self.number][place])
        node = frame.node(reference)
        return node.op if node is not None else ""

    def sparse_role(self) -> str | None:
        """Which part of a sparse tensor the op takes the input for."""
        roles = _SPARSE.get(self.node.op, ())
        return roles[self.place] if self.place < len(roles) else None


def _first(reading: Reading, count: int) -> Iterable[int]:
    return (0,) if reading.place == 0 else ()


def _any(reading: Reading, count: int) -> Iterable[int]:
    return (0,)


def _same(reading: Reading, count: int) -> Iterable[int]:
    return (reading.place,)


def _pieces(reading: Reading, count: int) -> Iterable[int]:
    attr = reading.node.attr
    number = attr["num_split"].i if "num_split" in attr else attr["num"].i
    return range(number) if reading.place == (1 if reading.node.op == "Split" else 0) else ()


def _at(place: int, output: int = 0) -> Callable[[Reading, int], Iterable[int]]:
    return lambda reading, _: (output,) if reading.place == place else ()


PASSING: Mapping[str, Callable[[Reading, int], Iterable[int]]] = {
    **dict.fromkeys(
        "Identity Snapshot StopGradient PreventGradient EnsureShape CheckNumerics DeepCopy Enter Exit NextIteration "
        "RefIdentity PlaceholderWithDefault StringLower StringUpper StringStrip RegexReplace StaticRegexReplace "
        "UnicodeTranscode LoopCond".split(),
        _first,
    ),
    **dict.fromkeys(("IdentityN", "SparseReorder", "ShapeN"), _same),
    "Merge": _any,
    "Switch": lambda reading, _: (0, 1) if reading.place == 0 else (),
}
"""Ops whose output is their input, entry by entry."""

_MOVING: Mapping[str, Callable[[Reading, int], Iterable[int]]] = {
    **dict.fromkeys(
        "Reshape ExpandDims Squeeze Slice StridedSlice Transpose ConjugateTranspose Tile BroadcastTo Reverse "
        "ReverseV2 ReverseSequence Pad PadV2 MirrorPad Roll Gather GatherV2 GatherNd Unique UniqueV2 "
        "UniqueWithCounts TensorListFromTensor TensorListStack TensorListGetItem TensorListGather "
        "TensorListConcatV2 RaggedTensorFromVariant".split(),
        _first,
    ),
    "ConcatV2": lambda reading, count: (0,) if reading.place < count - 1 else (),
    "Concat": lambda reading, _: (0,) if reading.place > 0 else (),
    "Pack": _any,
    "Select": lambda reading, _: (0,) if reading.place > 0 else (),
    "SelectV2": lambda reading, _: (0,) if reading.place > 0 else (),
    **dict.fromkeys(("Unpack", "Split", "SplitV"), _pieces),
    "TensorListSetItem": _at(2),
    "SparseFillEmptyRows": _at(1, 1),
    "SparseToDense": _at(2),
    "RaggedTensorToTensor": _at(1),
    "StringSplitV2": _at(0, 1),
    "StringSplit": _at(0, 1),
    "RaggedTensorToSparse": lambda reading, count: (1,) if reading.place == count - 1 else (),
    "RaggedTensorToVariant": lambda reading, count: (0,) if reading.place == count - 1 else (),
    "RaggedGather": lambda reading, count: (
        (reading.node.attr["OUTPUT_RAGGED_RANK"].i,) if reading.place == count - 2 else ()
    ),
    "DecodeBase64": _first,
}
"""Ops whose output holds entries of their input in other places."""


def consume(reading: Reading, moved: Moved, marks: Marks) -> Iterator[tuple[int, Moved]]:
    """Note in ``marks`` what the reading says; give the op's outputs that hold the entries still."""
    node, place = reading.node, reading.place
    if _SPLITS.search(node.name) and moved.is_exact:
        marks.is_splits = True
    if node.op in _MOVING:
        onward = replace(moved, is_shaped=False)
        for output in _MOVING[node.op](reading, len(reading.frame.wires.inputs[reading.number])):
            yield output, onward
    elif node.op == "Cast":
        is_mask = dtype_name(node.attr["DstT"].type) == "bool"
        marks.mask |= is_mask and moved.is_exact
        if not is_mask:
            yield 0, moved
    elif node.op in _ARITHMETIC:
        yield from _ARITHMETIC[node.op](reading, moved, marks)
    if moved.is_exact:
        _note_index(reading, moved, marks)
        _note_size(reading, marks)
        _note_text(reading, marks)
    if moved.is_scaled and moved.least >= 0.0 and place == 0:
        marks.positive |= node.op in _POSITIVE or (node.op == "Pow" and not _is_whole(reading.numbers(1)))
        marks.share |= node.op in _SHARES
    if moved.is_shaped and place == 0:
        _note_shape(reading, marks)


def _note_index(reading: Reading, moved: Moved, marks: Marks) -> None:
    op, place = reading.node.op, reading.place
    for names, number, rows in _INDEXES:
        if number == place and op in names:
            marks.below(rows(reading), moved)
    if (op in _SEGMENTS and place == 1) or (op.startswith("SparseSegment") and place == 2):
        marks.sorted = True


def _rows(reading: Reading) -> float | None:
    return reading.size(0, max(0, reading.node.attr["batch_dims"].i))


def _rows_on_axis(reading: Reading) -> float | None:
    axis = reading.numbers(2)
    return reading.size(0, int(axis[0])) if axis else None


def _smallest_side(reading: Reading) -> float | None:
    """Tuples of places are drawn alike: all of them below the smallest dimension that they go along."""
    known = [size for size in (reading.shape(0) or ())[: reading.size(1, -1) or 1] if size is not None]
    return min(known, default=None)


def _smallest_of_shape(reading: Reading) -> float | None:
    return min(reading.numbers(2) or (), default=None)


_INDEXES: Sequence[tuple[frozenset[str], int, Callable[[Reading], float | None]]] = (
    (frozenset({"Gather", "ResourceGather"}), 1, _rows),
    (frozenset({"GatherV2"}), 1, _rows_on_axis),
    (frozenset({"GatherNd", "ResourceGatherNd"}), 1, _smallest_side),
    (frozenset({"OneHot", "DenseBincount", "Bincount"}), 0, lambda reading: reading.at_most(1)),
    (
        frozenset(f"UnsortedSegment{one}" for one in ("Sum", "Mean", "Max", "Min", "Prod")),
        1,
        lambda reading: reading.at_most(2),
    ),
    (
        frozenset("SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN TensorScatterUpdate TensorScatterAdd".split()),
        1,
        lambda reading: reading.size(0, 0),
    ),
    (
        frozenset({"SparseSoftmaxCrossEntropyWithLogits", "InTopKV2"}),
        1,
        lambda reading: reading.size(0, -1),
    ),
    (frozenset({"ScatterNd"}), 0, _smallest_of_shape),
)
"""Ops, the input that is row numbers, and how many rows there are; None where that is not known."""


def _note_size(reading: Reading, marks: Marks) -> None:
    op, place = reading.node.op, reading.place
    if _LENGTHS.get(op) == place:
        marks.length = True
    elif op in _COMPARISONS:
        other = reading.behind(1 - place)
        inside = reading.frame.parent is not None and not reading.frame.returns
        marks.length |= other == "Range" or inside
    elif place in _SIZES.get(op, ()):
        marks.size = True
    elif op in ("LogicalAnd", "LogicalOr", "LogicalNot"):
        marks.mask = True
    elif op == "RaggedTensorToTensor" and place > 2:
        marks.is_splits = True


def _note_text(reading: Reading, marks: Marks) -> None:
    op = reading.node.op
    if op in _IMAGES:
        marks.text = Text.IMAGES
    elif op == "DecodeWav":
        marks.text = Text.AUDIO
    elif op == "StringToNumber":
        marks.text = Text.NUMBERS
    elif op.startswith("ParseExample") or op == "ParseSingleExample":
        marks.text = Text.EXAMPLES
    elif op == "DecodeBase64":
        marks.base64 = True
    elif op in ("StringSplit", "StringSplitV2"):
        marks.split = True
    elif op in ("LookupTableFind", "LookupTableFindV2") and reading.place == 1:
        marks.table = marks.table or _table(reading)


def _table(reading: Reading) -> Table:
    frame, reference = reading.wiring.origin(reading.frame, reading.frame.wires.inputs[reading.number][0])
    node, attr = frame.node(reference), reading.node.attr
    handle = ~reference[0] if node is None else node.name
    return Table(handle, dtype_name(attr["Tin"].type), dtype_name(attr["Tout"].type))


def _note_shape(reading: Reading, marks: Marks) -> None:
    op, node = reading.node.op, reading.node
    if op == "MatMul":
        marks.rank = 2
        marks.last = marks.last or reading.size(1, 1 if node.attr["transpose_b"].b else 0)
    elif op in ("Conv2D", "Conv3D", "DepthwiseConv2dNative"):
        marks.rank = 5 if op == "Conv3D" else 4
        if node.attr["data_format"].s in (b"NHWC", b"NDHWC", b""):
            marks.last = marks.last or reading.size(1, -2)
    elif op == "BiasAdd" and node.attr["data_format"].s in (b"NHWC", b""):
        marks.last = marks.last or reading.size(1, 0)


def _is_whole(exponent: list[float] | None) -> bool:
    return exponent is not None and all(one == int(one) for one in exponent)


def _shifted(reading: Reading, moved: Moved, marks: Marks) -> Iterator[tuple[int, Moved]]:
    added = reading.numbers(1 - reading.place)
    if added:
        yield 0, replace(moved, least=moved.least + min(added), most=moved.most + max(added))
    else:
        yield 0, replace(moved, is_exact=False, is_scaled=False)


def _is_difference(reading: Reading) -> bool:
    """Whether the op takes a piece of a tensor from another piece of it: ``splits[1:] - splits[:-1]``."""
    wires = reading.frame.wires
    ends = wires.inputs[reading.number]
    if any(number < 0 or wires.nodes[number].op != "StridedSlice" for number, _ in ends):
        return False
    first, second = (wires.inputs[number][0] for number, _ in ends)
    return first == second


def _subtracted(reading: Reading, moved: Moved, marks: Marks) -> Iterator[tuple[int, Moved]]:
    marks.is_splits |= moved.is_exact and _is_difference(reading)
    other = reading.numbers(1 - reading.place)
    if reading.place == 0 and other:
        yield 0, replace(moved, least=moved.least - max(other), most=moved.most - min(other))
        return
    if other == [1.0] and moved.is_exact and _sets_off(reading):
        marks.mask = True
    yield 0, replace(moved, is_exact=False, is_scaled=False)


def _sets_off(reading: Reading) -> bool:
    """Whether the op's result is multiplied by a large number: ``(1 - mask) * -1e9``."""
    wires = reading.frame.wires
    for number, place in wires.readers.get((reading.number, 0), ()):
        if wires.nodes[number].op == "Mul":
            factor = reading.wiring.numbers(reading.frame, wires.inputs[number][1 - place])
            if factor and max(abs(one) for one in factor) >= _LARGE:
                return True
    return False


def _multiplied(reading: Reading, moved: Moved, marks: Marks) -> Iterator[tuple[int, Moved]]:
    factor = reading.numbers(1 - reading.place)
    divides = reading.node.op != "Mul" and reading.place == 1
    scales = bool(factor) and not divides and all(one > 0 for one in factor or ())
    if not divides:
        yield 0, replace(moved, is_exact=False, is_scaled=moved.is_scaled and scales)


_ARITHMETIC: Mapping[str, Callable[[Reading, Moved, Marks], Iterator[tuple[int, Moved]]]] = {
    **dict.fromkeys(("Add", "AddV2"), _shifted),
    "Sub": _subtracted,
    **dict.fromkeys(("Mul", "RealDiv", "Div"), _multiplied),
}
