"""Say which entries of a tensor come from which, where constants decide it: Concat, Split, Slice.

A tensor that was joined of several is followed along the axis on which they were joined: each
position there belongs to a part, and each op that keeps positions apart hands the parts on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any

from gradflow.lazy_dataclass import dataclass
from gradflow.ops.families import ELEMENTWISE

WHOLE, NOTHING = 0, -1
"""Of an input: all of it, as far as is known; none of its entries."""
_MAX_PARTS, _MAX_LENGTH = 64, 4096
Shape = tuple[int | None, ...]
Code = tuple[int, ...]
"""For each input of an op the part of it that is taken; ``WHOLE`` or ``NOTHING``."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """The parts of a tensor, which are numbered from 1 on."""

    sources: tuple[Code, ...]
    """Where each part comes from."""
    axis: int = 0
    labels: tuple[int, ...] = ()
    """By position on the axis, the part, 0 where it comes from nothing; empty where all entries are
    of one part, or all of none."""

    @property
    def is_divided(self) -> bool:
        """Whether its entries are told apart."""
        return bool(self.labels)


@dataclass(frozen=True, slots=True)
class Operands:
    """One op, with what is known of its inputs."""

    op: str
    attr: Any
    """Its attributes, by name."""
    shapes: Sequence[Shape | None]
    constants: Sequence[Sequence[int] | None]
    """The value of each input that is a constant of integers, flat."""
    pieces: Sequence[Pieces | None]
    """Of each input that is divided."""
    outputs: Sequence[Shape | None]
    """The shapes of the outputs."""

    def code(self, data: int, label: int) -> Code | None:
        """Return the code of a position that comes from the input ``data`` alone; None where it
        comes from nothing."""
        if label == NOTHING or (self.pieces[data] is not None and not label):
            return None
        return tuple(label if place == data else WHOLE for place in range(len(self.shapes)))

    def whole(self, name: str) -> int:
        """Return a number among the attributes, 0 where it is missing."""
        return int(self.attr[name].i) if name in self.attr else 0


class _UnknownError(Exception):
    """What decides over the entries is no constant."""


def pieces_of(operands: Operands) -> tuple[Pieces | None, ...]:
    """Return the pieces of each output of an op: None where it is followed as a whole."""
    rule = _RULES.get(operands.op)
    if rule is None:
        return (None,) * len(operands.outputs)
    try:
        return tuple(rule(operands))
    # What a damaged file says of itself need not fit together.
    except (_UnknownError, IndexError, ValueError, TypeError):
        return (None,) * len(operands.outputs)


def is_followed(op: str) -> bool:
    """Return whether the entries of an op type are followed."""
    return op in _RULES


def _made(axis: int, codes: Iterable[Code | None]) -> Pieces | None:
    """Number the different codes of the positions on an axis."""
    numbers: dict[Code, int] = {}
    labels = tuple(
        0 if code is None else numbers.setdefault(code, len(numbers) + 1) for code in codes
    )
    if len(numbers) > _MAX_PARTS or len(labels) > _MAX_LENGTH:
        return None
    is_divided = len(set(labels)) > 1
    return Pieces(tuple(numbers), axis, labels if is_divided else ())


def _known(value: Any) -> Any:
    if value is None:
        raise _UnknownError
    return value


def _labels(operands: Operands, data: int, axis: int) -> Sequence[int]:
    """Return the part of each position of an input on an axis."""
    pieces = operands.pieces[data]
    if pieces is not None and pieces.axis == axis:
        return pieces.labels
    length: int = _known(_known(operands.shapes[data])[axis])
    return (WHOLE,) * min(length, _MAX_LENGTH + 1)


def _join(operands: Operands, data: Sequence[int], axis: int) -> list[Pieces | None]:
    count = len(operands.shapes)
    codes: list[Code | None] = []
    for place in data:
        pieces = operands.pieces[place]
        is_along = pieces is not None and pieces.axis == axis
        for label in _labels(operands, place, axis):
            is_nothing = is_along and not label
            code = [NOTHING if other in data else WHOLE for other in range(count)]
            code[place] = label
            codes.append(None if is_nothing else tuple(code))
    return [_made(axis, codes)]


def _concat(operands: Operands) -> list[Pieces | None]:
    count = len(operands.shapes)
    is_first = operands.op == "Concat"
    (axis,) = _known(operands.constants[0 if is_first else count - 1])
    rank = len(_known(operands.outputs[0]))
    return _join(operands, range(is_first, count - (not is_first)), axis % rank)


def _pack(operands: Operands) -> list[Pieces | None]:
    rank = len(_known(operands.outputs[0]))
    count = len(operands.shapes)
    codes = [
        tuple(WHOLE if other == place else NOTHING for other in range(count))
        for place in range(count)
    ]
    return [_made(operands.whole("axis") % rank, codes)]


def _pad(operands: Operands) -> list[Pieces | None]:
    shape, flat = _known(operands.shapes[0]), _known(operands.constants[1])
    widths = [(int(flat[2 * axis]), int(flat[2 * axis + 1])) for axis in range(len(shape))]
    pieces = operands.pieces[0]
    padded = [axis for axis, width in enumerate(widths) if any(width) and shape[axis] is not None]
    if pieces is None and not padded:
        return [None]
    axis = pieces.axis if pieces is not None else padded[0]
    margin = (NOTHING, WHOLE, WHOLE) if operands.op == "PadV2" else None
    before, after = widths[axis]
    inner = [
        None if code is None else (*code[:2], *[NOTHING] * len(code[2:]))  # not the filling
        for code in (operands.code(0, label) for label in _labels(operands, 0, axis))
    ]
    return [_made(axis, [*[margin] * before, *inner, *[margin] * after])]


def _selected(
    operands: Operands, data: int, axis: int, indices: Sequence[int], axis_after: int
) -> Pieces | None:
    """Return the pieces where some positions on the axis of the parts are taken."""
    labels = _labels(operands, data, axis)
    return _made(axis_after, [operands.code(data, labels[index]) for index in indices])


def _divided(operands: Operands, data: int) -> tuple[Pieces, Shape]:
    """Return the pieces and the shape of an input that is divided."""
    return _known(operands.pieces[data]), _known(operands.shapes[data])


def _kept(operands: Operands, data: int, axis_after: int) -> Pieces | None:
    """Return the pieces where all positions stay, be it on another axis."""
    pieces = _known(operands.pieces[data])
    return _selected(operands, data, pieces.axis, range(len(pieces.labels)), axis_after)


def _slice(operands: Operands) -> list[Pieces | None]:
    pieces, _ = _divided(operands, 0)
    start = _known(operands.constants[1])[pieces.axis]
    size = _known(operands.constants[2])[pieces.axis]
    end = len(pieces.labels) if size < 0 else start + size
    return [_selected(operands, 0, pieces.axis, range(start, end), pieces.axis)]


def _split(operands: Operands) -> list[Pieces | None]:
    data, axis_input = (1, 0) if operands.op == "Split" else (0, 2)
    pieces, shape = _divided(operands, data)
    (axis,) = _known(operands.constants[axis_input])
    count = len(operands.outputs)
    if axis % len(shape) != pieces.axis:
        return [_kept(operands, data, pieces.axis) for _ in range(count)]
    length = len(pieces.labels)
    sizes = (
        [length // count] * count if operands.op == "Split" else list(_known(operands.constants[1]))
    )
    sizes = [length - sum(sizes) - 1 if size < 0 else size for size in sizes]
    starts = [sum(sizes[:number]) for number in range(count)]
    return [
        _selected(operands, data, pieces.axis, range(start, start + size), pieces.axis)
        for start, size in zip(starts, sizes, strict=True)
    ]


def _unpack(operands: Operands) -> list[Pieces | None]:
    pieces, shape = _divided(operands, 0)
    axis = operands.whole("axis") % len(shape)
    count = len(operands.outputs)
    if axis == pieces.axis:
        return [_selected(operands, 0, axis, [number], 0) for number in range(count)]
    return [_kept(operands, 0, pieces.axis - (axis < pieces.axis)) for _ in range(count)]


def _gather(operands: Operands) -> list[Pieces | None]:
    pieces, shape = _divided(operands, 0)
    axis = _known(operands.constants[2])[0] % len(shape) if operands.op == "GatherV2" else 0
    rank = len(_known(operands.shapes[1]))
    if operands.whole("batch_dims"):
        return [None]
    if axis != pieces.axis:
        return [_kept(operands, 0, pieces.axis + (rank - 1) * (axis < pieces.axis))]
    made = _selected(operands, 0, axis, _known(operands.constants[1]), axis)
    return [made if made is None or rank < 2 or not made.is_divided else None]


def _strided_slice(operands: Operands) -> list[Pieces | None]:
    pieces, shape = _divided(operands, 0)
    begins, ends, strides = (_known(constant) for constant in operands.constants[1:4])
    masks = {
        name: operands.whole(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    count = len(strides)
    is_set = {
        name: [bool(mask >> place & 1) for place in range(count)] for name, mask in masks.items()
    }
    consuming = sum(
        not (new or rest) for new, rest in zip(is_set["new_axis"], is_set["ellipsis"], strict=True)
    )
    axis, axis_after, made = 0, 0, None
    for place in range(count):
        if is_set["ellipsis"][place]:
            skipped = len(shape) - consuming
            if axis <= pieces.axis < axis + skipped:
                made = _kept(operands, 0, axis_after + pieces.axis - axis)
            axis, axis_after = axis + skipped, axis_after + skipped
        elif is_set["new_axis"][place]:
            axis_after += 1
        else:
            is_single = is_set["shrink_axis"][place]
            if axis == pieces.axis:
                length = len(pieces.labels)
                start = None if is_set["begin"][place] else begins[place]
                end = None if is_set["end"][place] else ends[place]
                taken = range(length)[slice(start, end, strides[place])]
                indices = [begins[place] % length] if is_single else taken
                made = _selected(operands, 0, axis, indices, axis_after)
            axis, axis_after = axis + 1, axis_after + (not is_single)
    if axis <= pieces.axis:  # what is not named stays
        made = _kept(operands, 0, axis_after + pieces.axis - axis)
    return [made]


def _transpose(operands: Operands) -> list[Pieces | None]:
    pieces, shape = _divided(operands, 0)
    order = [axis % len(shape) for axis in _known(operands.constants[1])]
    return [_kept(operands, 0, order.index(pieces.axis))]


def _expand(operands: Operands) -> list[Pieces | None]:
    pieces, shape = _divided(operands, 0)
    (axis,) = _known(operands.constants[1])
    return [_kept(operands, 0, pieces.axis + (axis % (len(shape) + 1) <= pieces.axis))]


def _reshape(operands: Operands) -> list[Pieces | None]:
    """Entries keep their order: the parts are found again where what stands before and behind them
    has the same size."""
    pieces, shape = _divided(operands, 0)
    after = _known(operands.outputs[0])
    rest = prod(map(_known, shape[pieces.axis + 1 :]))
    for axis in range(len(after)):
        inner = after[axis + 1 :]
        if (
            _size(after[:axis]) != _size(shape[: pieces.axis])
            or None in inner
            or after[axis] is None
        ):
            continue
        entries = [label for label in pieces.labels for _ in range(rest)]
        if len(entries) > _MAX_LENGTH:
            break
        step = prod(map(_known, inner)) or 1
        groups = [entries[start : start + step] for start in range(0, len(entries), step)]
        if len(groups) == after[axis] and all(len(set(group)) == 1 for group in groups):
            return [_made(axis, [operands.code(0, group[0]) for group in groups])]
    return [None]


def _size(shape: Sequence[int | None]) -> tuple[int, int]:
    """Return how many sizes are unknown, and the product of the others."""
    sizes = [size for size in shape if size is not None]
    return len(shape) - len(sizes), prod(sizes)


def _squeeze(operands: Operands) -> list[Pieces | None]:
    pieces, shape = _divided(operands, 0)
    gone = {axis % len(shape) for axis in operands.attr["squeeze_dims"].list.i}
    if not gone:
        gone = {axis for axis, size in enumerate(shape) if _known(size) == 1}
    return [_kept(operands, 0, pieces.axis - sum(axis < pieces.axis for axis in gone))]


def _bias(operands: Operands) -> list[Pieces | None]:
    is_channels_first = "data_format" in operands.attr and operands.attr["data_format"].s == b"NCHW"
    return [None] if is_channels_first else _elementwise(operands)


def _reduce(operands: Operands) -> list[Pieces | None]:
    pieces, shape = _divided(operands, 0)
    axes = {axis % len(shape) for axis in _known(operands.constants[1])}
    if pieces.axis in axes:
        return [None]
    keeps = "keep_dims" in operands.attr and operands.attr["keep_dims"].b
    gone = 0 if keeps else sum(axis < pieces.axis for axis in axes)
    return [_kept(operands, 0, pieces.axis - gone)]


def _elementwise(operands: Operands) -> list[Pieces | None]:
    """Each entry comes from those at its place; sizes are aligned at the last axis."""
    after = _known(operands.outputs[0])
    depths = [
        None if pieces is None else len(_known(shape)) - pieces.axis
        for pieces, shape in zip(operands.pieces, operands.shapes, strict=True)
    ]
    depth = next((depth for depth in depths if depth is not None), None)
    axis = len(after) - _known(depth)
    length = after[axis]
    aligned = {
        place: pieces.labels
        for place, pieces in enumerate(operands.pieces)
        if pieces is not None and depths[place] == depth and len(pieces.labels) == length
    }
    if not aligned:
        return [None]
    codes: list[Code | None] = []
    for position in range(_known(length)):
        code = tuple(
            (aligned[place][position] or NOTHING) if place in aligned else WHOLE
            for place in range(len(operands.shapes))
        )
        codes.append(None if set(code) == {NOTHING} else code)
    return [_made(axis, codes)]


_ELEMENTWISE = ELEMENTWISE.union("Cast Greater GreaterEqual Less LessEqual SelectV2".split())
"""Comparisons and casts too, though no gradient goes on behind them: the way of the data counts."""
_RULES: Mapping[str, Callable[[Operands], list[Pieces | None]]] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(("Concat", "ConcatV2"), _concat),
    **dict.fromkeys(("Pad", "PadV2"), _pad),
    **dict.fromkeys(("Split", "SplitV"), _split),
    **dict.fromkeys(("Gather", "GatherV2"), _gather),
    **dict.fromkeys(("Max", "Mean", "Min", "Prod", "Sum"), _reduce),
    "BiasAdd": _bias,
    "ExpandDims": _expand,
    "Pack": _pack,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Transpose": _transpose,
    "Unpack": _unpack,
}
JOINS = frozenset({"Concat", "ConcatV2", "Pack", "Pad", "PadV2"})
"""Ops that begin parts."""
SELECTIONS = frozenset({"Gather", "GatherV2", "Slice", "Split", "SplitV", "StridedSlice", "Unpack"})
"""Ops that can take some parts and leave others."""
