"""List the outputs of an op that still hold the entries of an input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from gradflow.flow.input_use.reading import Reading


def _first(reading: Reading, count: int) -> Iterable[int]:
    return (0,) if reading.input_number == 0 else ()


def _any(reading: Reading, count: int) -> Iterable[int]:
    return (0,)


def _same(reading: Reading, count: int) -> Iterable[int]:
    return (reading.input_number,)


def _pieces(reading: Reading, count: int) -> Iterable[int]:
    attr = reading.node.attr
    number = attr["num_split"].i if "num_split" in attr else attr["num"].i
    return range(number) if reading.input_number == (1 if reading.node.op == "Split" else 0) else ()


def _at(input_number: int, output: int = 0) -> Callable[[Reading, int], Iterable[int]]:
    return lambda reading, _: (output,) if reading.input_number == input_number else ()


PASSING: Mapping[str, Callable[[Reading, int], Iterable[int]]] = {
    **dict.fromkeys(
        "Identity Snapshot StopGradient PreventGradient EnsureShape CheckNumerics DeepCopy Enter "
        "Exit NextIteration "
        "RefIdentity PlaceholderWithDefault StringLower StringUpper StringStrip RegexReplace "
        "StaticRegexReplace "
        "UnicodeTranscode LoopCond".split(),
        _first,
    ),
    **dict.fromkeys(("IdentityN", "SparseReorder", "ShapeN"), _same),
    "Merge": _any,
    "Switch": lambda reading, _: (0, 1) if reading.input_number == 0 else (),
}
"""Ops whose output is their input, entry by entry."""

MOVING: Mapping[str, Callable[[Reading, int], Iterable[int]]] = {
    **dict.fromkeys(
        "Reshape ExpandDims Squeeze Slice StridedSlice Transpose ConjugateTranspose Tile "
        "BroadcastTo Reverse "
        "ReverseV2 ReverseSequence Pad PadV2 MirrorPad Roll Gather GatherV2 GatherNd Unique "
        "UniqueV2 "
        "UniqueWithCounts TensorListFromTensor TensorListStack TensorListGetItem TensorListGather "
        "TensorListConcatV2 RaggedTensorFromVariant".split(),
        _first,
    ),
    "ConcatV2": lambda reading, count: (0,) if reading.input_number < count - 1 else (),
    "Concat": lambda reading, _: (0,) if reading.input_number > 0 else (),
    "Pack": _any,
    "Select": lambda reading, _: (0,) if reading.input_number > 0 else (),
    "SelectV2": lambda reading, _: (0,) if reading.input_number > 0 else (),
    **dict.fromkeys(("Unpack", "Split", "SplitV"), _pieces),
    "TensorListSetItem": _at(2),
    "SparseFillEmptyRows": _at(1, 1),
    "SparseToDense": _at(2),
    "RaggedTensorToTensor": _at(1),
    "StringSplitV2": _at(0, 1),
    "StringSplit": _at(0, 1),
    "RaggedTensorToSparse": lambda reading, count: (
        (1,) if reading.input_number == count - 1 else ()
    ),
    "RaggedTensorToVariant": lambda reading, count: (
        (0,) if reading.input_number == count - 1 else ()
    ),
    "RaggedGather": lambda reading, count: (
        (reading.node.attr["OUTPUT_RAGGED_RANK"].i,) if reading.input_number == count - 2 else ()
    ),
    "DecodeBase64": _first,
}
"""Ops whose output holds entries of their input in other places."""
