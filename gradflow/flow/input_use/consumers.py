"""Note what an op that reads an input says about its values, and where the values go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from gradflow.files.dtypes import dtype_name
from gradflow.flow.input_use.passing import MOVING
from gradflow.flow.input_use.reading import Marks, Moved, Reading
from gradflow.flow.input_use.uses import Table, Text
from gradflow.ops.families import SUMS

_LARGE = 100.0
"""What a masked score is set off by, at least: -1e9, -10000, ..."""
_SPLITS = re.compile(
    r"row_?splits|splitsto|rowpartition|raggedfrom|raggedtensorfrom", re.IGNORECASE
)
_SEGMENTS = frozenset("SegmentSum SegmentMean SegmentMax SegmentMin SegmentProd".split())
_LENGTHS: Mapping[str, int] = {"ReverseSequence": 1, "CudnnRNNV3": 4, "CTCLoss": 3}
_COMPARISONS = frozenset("Less LessEqual Greater GreaterEqual".split())
_IMAGES = frozenset(
    "DecodeJpeg DecodePng DecodeBmp DecodeGif DecodeImage DecodeAndCropJpeg "
    "ExtractJpegShape".split()
)
_POSITIVE = frozenset("Log Sqrt Rsqrt Lgamma Digamma".split())
_SHARES = frozenset("Acos Asin Atanh Erfinv Ndtri".split())
_SIZES: Mapping[str, frozenset[int]] = {
    **dict.fromkeys("Reshape Tile BroadcastTo TopKV2 Range".split(), frozenset({1})),
    **dict.fromkeys(
        "Fill RandomUniform RandomStandardNormal TruncatedNormal TensorListReserve".split(),
        frozenset({0}),
    ),
    "Slice": frozenset({2}),
}


def consume(reading: Reading, moved: Moved, marks: Marks) -> Iterator[tuple[int, Moved]]:
    """Note in ``marks`` what the reading says; give the op's outputs that hold the entries
    still."""
    node, input_number = reading.node, reading.input_number
    if _SPLITS.search(node.name) and moved.is_exact:
        marks.is_splits = True
    if node.op in MOVING:
        onward = replace(moved, is_shaped=False)
        for output in MOVING[node.op](reading, len(reading.frame.wires.inputs[reading.number])):
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
    if moved.is_scaled and moved.least >= 0.0 and input_number == 0:
        marks.positive |= node.op in _POSITIVE or (
            node.op == "Pow" and not _is_whole(reading.numbers(1))
        )
        marks.share |= node.op in _SHARES
    if moved.is_shaped and input_number == 0:
        _note_shape(reading, marks)


def _note_index(reading: Reading, moved: Moved, marks: Marks) -> None:
    op, input_number = reading.node.op, reading.input_number
    for names, number, rows in _INDEXES:
        if number == input_number and op in names:
            marks.below(rows(reading), moved)
    if (op in _SEGMENTS and input_number == 1) or (
        op.startswith("SparseSegment") and input_number == 2
    ):
        marks.sorted = True


def _rows(reading: Reading) -> float | None:
    return reading.size(0, max(0, reading.node.attr["batch_dims"].i))


def _rows_on_axis(reading: Reading) -> float | None:
    axis = reading.numbers(2)
    return reading.size(0, int(axis[0])) if axis else None


def _smallest_side(reading: Reading) -> float | None:
    """Tuples of places are drawn alike: all of them below the smallest dimension that they go
    along."""
    sizes = [
        size for size in (reading.shape(0) or ())[: reading.size(1, -1) or 1] if size is not None
    ]
    return min(sizes, default=None)


def _smallest_of_shape(reading: Reading) -> float | None:
    return min(reading.numbers(2) or (), default=None)


_INDEXES: Sequence[tuple[frozenset[str], int, Callable[[Reading], float | None]]] = (
    (frozenset({"Gather", "ResourceGather"}), 1, _rows),
    (frozenset({"GatherV2"}), 1, _rows_on_axis),
    (frozenset({"GatherNd", "ResourceGatherNd"}), 1, _smallest_side),
    (frozenset({"OneHot", "DenseBincount", "Bincount"}), 0, lambda reading: reading.at_most(1)),
    (
        frozenset(f"UnsortedSegment{number}" for number in ("Sum", "Mean", "Max", "Min", "Prod")),
        1,
        lambda reading: reading.at_most(2),
    ),
    (
        frozenset(
            "SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN TensorScatterUpdate "
            "TensorScatterAdd".split()
        ),
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
    op, input_number = reading.node.op, reading.input_number
    if _LENGTHS.get(op) == input_number:
        marks.length = True
    elif op in _COMPARISONS:
        other_op = reading.behind(1 - input_number)
        inside = reading.frame.parent is not None and not reading.frame.returns
        marks.length |= other_op == "Range" or inside
    elif input_number in _SIZES.get(op, ()):
        marks.size = True
    elif op in ("LogicalAnd", "LogicalOr", "LogicalNot"):
        marks.mask = True
    elif op == "RaggedTensorToTensor" and input_number > 2:
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
    elif op in ("LookupTableFind", "LookupTableFindV2") and reading.input_number == 1:
        marks.table = marks.table or _table(reading)


def _table(reading: Reading) -> Table:
    frame, reference = reading.wiring.origin(
        reading.frame, reading.frame.wires.inputs[reading.number][0]
    )
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
    return exponent is not None and all(number == int(number) for number in exponent)


def _shifted(reading: Reading, moved: Moved, marks: Marks) -> Iterator[tuple[int, Moved]]:
    added = reading.numbers(1 - reading.input_number)
    if added:
        yield 0, replace(moved, least=moved.least + min(added), most=moved.most + max(added))
    else:
        yield 0, replace(moved, is_exact=False, is_scaled=False)


def _is_difference(reading: Reading) -> bool:
    """Return whether the op takes a piece of a tensor from another piece of it: ``splits[1:] -
    splits[:-1]``."""
    wires = reading.frame.wires
    ends = wires.inputs[reading.number]
    if any(number < 0 or wires.nodes[number].op != "StridedSlice" for number, _ in ends):
        return False
    first, second = (wires.inputs[number][0] for number, _ in ends)
    return first == second


def _subtracted(reading: Reading, moved: Moved, marks: Marks) -> Iterator[tuple[int, Moved]]:
    marks.is_splits |= moved.is_exact and _is_difference(reading)
    numbers = reading.numbers(1 - reading.input_number)
    if reading.input_number == 0 and numbers:
        yield 0, replace(moved, least=moved.least - max(numbers), most=moved.most - min(numbers))
        return
    if numbers == [1.0] and moved.is_exact and _sets_off(reading):
        marks.mask = True
    yield 0, replace(moved, is_exact=False, is_scaled=False)


def _sets_off(reading: Reading) -> bool:
    """Return whether the op's result is multiplied by a large number: ``(1 - mask) * -1e9``."""
    wires = reading.frame.wires
    for number, input_number in wires.readers.get((reading.number, 0), ()):
        if wires.nodes[number].op == "Mul":
            factor = reading.wiring.numbers(reading.frame, wires.inputs[number][1 - input_number])
            if factor and max(abs(number) for number in factor) >= _LARGE:
                return True
    return False


def _multiplied(reading: Reading, moved: Moved, marks: Marks) -> Iterator[tuple[int, Moved]]:
    factor = reading.numbers(1 - reading.input_number)
    divides = reading.node.op != "Mul" and reading.input_number == 1
    scales = bool(factor) and not divides and all(number > 0 for number in factor or ())
    if not divides:
        yield 0, replace(moved, is_exact=False, is_scaled=moved.is_scaled and scales)


_ARITHMETIC: Mapping[str, Callable[[Reading, Moved, Marks], Iterator[tuple[int, Moved]]]] = {
    **dict.fromkeys(SUMS, _shifted),
    "Sub": _subtracted,
    **dict.fromkeys(("Mul", "RealDiv", "Div"), _multiplied),
}
