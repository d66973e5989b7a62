"""Say which entries of a tensor come from which, where constants decide it: Concat, Split, Slice.

An op that keeps entries apart hands the parts on, and one that mixes them hands on several at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gradflow.files.dtypes import VARIANT
from gradflow.flow.lower.grid import MOST_ENTRIES, Grid, TooLargeError, along, blocks, together
from gradflow.flow.lower.pieces import (
    MAX_PARTS,
    NOTHING,
    WHOLE,
    Code,
    Codes,
    Operands,
    Pieces,
    Shape,
    Taken,
    UnknownError,
    known,
    made,
    united,
)
from gradflow.ops.families import ELEMENTWISE


def pieces_of(operands: Operands) -> tuple[Pieces | None, ...]:
    """Return the pieces of each output of an op: None where it is followed as a whole."""
    rule = _RULES.get(operands.op)
    if rule is None:
        return (None,) * len(operands.outputs)
    try:
        is_list = operands.op in _LISTS
        return tuple(made(codes, is_list=is_list) for codes in rule(operands))
    # What a damaged file says of itself need not fit together.
    except (UnknownError, TooLargeError, IndexError, ValueError, TypeError):
        return (None,) * len(operands.outputs)


def is_followed(op: str) -> bool:
    """Return whether the entries of an op type are followed."""
    return op in _RULES


def _full(grid: Grid[Any], shape: Sequence[int | None], axes: Iterable[int]) -> Grid[Any]:
    """Return ``grid`` with ``axes`` in full length."""
    sizes = list(grid.sizes)
    for axis in axes:
        sizes[axis] = known(shape[axis])
    return grid.spread(sizes)


def _join(operands: Operands, data: Sequence[int], axis: int, *, is_new: bool) -> list[Codes]:
    if len(data) > MAX_PARTS:  # each has one at least
        raise TooLargeError
    count = len(operands.shapes)
    grids: list[Codes] = []
    for place in data:
        taken = operands.taken(place)
        if is_new:
            taken = taken.resized([*taken.sizes[:axis], 1, *taken.sizes[axis:]])
        else:
            taken = _full(taken, known(operands.shapes[place]), [axis])

        def code(one: Taken, place: int = place) -> Code | None:
            others = [NOTHING if other in data else WHOLE for other in range(count)]
            return None if one == NOTHING else (*others[:place], one, *others[place + 1 :])

        grids.append(taken.mapped(code))
    return [along(axis, grids)]


def _concat(operands: Operands) -> list[Codes]:
    count = len(operands.shapes)
    is_first = operands.op == "Concat"
    (axis,) = known(operands.constants[0 if is_first else count - 1])
    data = range(is_first, count - (not is_first))
    return _join(operands, data, axis % len(known(operands.outputs[0])), is_new=False)


def _pack(operands: Operands) -> list[Codes]:
    rank = len(known(operands.outputs[0]))
    data = range(len(operands.shapes))
    return _join(operands, data, operands.whole("axis") % rank, is_new=True)


def _pad(operands: Operands) -> list[Codes | None]:
    shape, flat = known(operands.shapes[0]), known(operands.constants[1])
    fillings = len(operands.shapes) - 2  # of PadV2
    margin = (NOTHING, WHOLE, WHOLE) if fillings else None

    def without_filling(code: Code | None) -> Code | None:
        return code if code is None else (*code[:2], *[NOTHING] * fillings)

    codes = operands.codes(0, operands.taken(0)).mapped(without_filling)
    margins: Codes = Grid((1,) * len(shape), (margin,))
    is_padded = operands.labels(0) is not None
    for axis, size in enumerate(shape):
        before, after = int(flat[2 * axis]), int(flat[2 * axis + 1])
        if (before or after) and size is not None:  # of an unknown axis no entry is told apart
            inner = _full(codes, shape, [axis])
            around = [
                margins.spread([width if other == axis else 1 for other in range(len(shape))])
                for width in (before, after)
                if width
            ]
            codes = along(axis, [*around[: bool(before)], inner, *around[bool(before) :]])
            shape = (*shape[:axis], size + before + after, *shape[axis + 1 :])
            is_padded = True
    return [codes if is_padded else None]


def _divided(operands: Operands, data: int) -> tuple[Grid[Taken], Shape]:
    """Return what can be taken of an input that is divided, and its shape."""
    known(operands.labels(data))
    return operands.taken(data), known(operands.shapes[data])


def _slice(operands: Operands) -> list[Codes]:
    taken, _ = _divided(operands, 0)
    starts, sizes = known(operands.constants[1]), known(operands.constants[2])
    for axis, length in enumerate(taken.sizes):
        if length > 1:
            end = length if sizes[axis] < 0 else starts[axis] + sizes[axis]
            taken = taken.taken(axis, range(starts[axis], end))
    return [operands.codes(0, taken)]


def _split(operands: Operands) -> list[Codes]:
    data, axis_input = (1, 0) if operands.op == "Split" else (0, 2)
    taken, shape = _divided(operands, data)
    (axis,) = known(operands.constants[axis_input])
    axis, count = axis % len(shape), len(operands.outputs)
    length = taken.sizes[axis]
    if length == 1:
        return [operands.codes(data, taken)] * count
    sizes = (
        [length // count] * count if operands.op == "Split" else list(known(operands.constants[1]))
    )
    sizes = [length - sum(sizes) - 1 if size < 0 else size for size in sizes]
    starts = [sum(sizes[:number]) for number in range(count)]
    return [
        operands.codes(data, taken.taken(axis, range(start, start + size)))
        for start, size in zip(starts, sizes, strict=True)
    ]


def _at(taken: Grid[Taken], axis: int, position: int) -> Grid[Taken]:
    """Return what is taken at one position of an axis, which goes."""
    one = taken.taken(axis, [position])
    return one.resized([*one.sizes[:axis], *one.sizes[axis + 1 :]])


def _unpack(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    axis = operands.whole("axis") % len(shape)
    return [operands.codes(0, _at(taken, axis, number)) for number in range(len(operands.outputs))]


def _gather(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    axis = known(operands.constants[2])[0] % len(shape) if operands.op == "GatherV2" else 0
    sizes: Sequence[int] = known(operands.shapes[1])
    if operands.whole("batch_dims"):
        raise UnknownError
    if taken.sizes[axis] == 1:
        sizes = [1] * len(sizes)
    else:
        taken = taken.taken(axis, known(operands.constants[1]))
    taken = taken.resized([*taken.sizes[:axis], *map(known, sizes), *taken.sizes[axis + 1 :]])
    return [operands.codes(0, taken)]


def _strided_slice(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    masks = {
        name: operands.whole(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    begins, ends, strides = (known(constant) for constant in operands.constants[1:4])
    count = len(strides)
    is_set = {
        name: [bool(mask >> place & 1) for place in range(count)] for name, mask in masks.items()
    }
    consuming = sum(
        not (new or rest) for new, rest in zip(is_set["new_axis"], is_set["ellipsis"], strict=True)
    )
    axis = 0
    sizes: list[int] = []  # of the result
    for place in range(count):
        if is_set["ellipsis"][place]:
            rest = len(shape) - consuming
            sizes += taken.sizes[axis : axis + rest]
            axis += rest
        elif is_set["new_axis"][place]:
            sizes.append(1)
        else:
            length = taken.sizes[axis]
            if length > 1:
                start = None if is_set["begin"][place] else begins[place]
                end = None if is_set["end"][place] else ends[place]
                positions = (
                    [begins[place] % length]
                    if is_set["shrink_axis"][place]
                    else range(length)[slice(start, end, strides[place])]
                )
                taken = taken.taken(axis, positions)
            if not is_set["shrink_axis"][place]:
                sizes.append(taken.sizes[axis])
            axis += 1
    return [operands.codes(0, taken.resized([*sizes, *taken.sizes[axis:]]))]


def _transpose(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    order = [axis % len(shape) for axis in known(operands.constants[1])]
    return [operands.codes(0, taken.moved(order))]


def _reverse(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    for axis in known(operands.constants[1]):
        axis %= len(shape)
        taken = taken.taken(axis, range(taken.sizes[axis])[::-1])
    return [operands.codes(0, taken)]


def _roll(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    shifts, axes = known(operands.constants[1]), known(operands.constants[2])
    for shift, axis in zip(shifts, axes, strict=True):
        axis %= len(shape)
        length = taken.sizes[axis]
        taken = taken.taken(axis, [(place - shift) % length for place in range(length)])
    return [operands.codes(0, taken)]


def _expand(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    (axis,) = known(operands.constants[1])
    axis %= len(shape) + 1
    return [operands.codes(0, taken.resized([*taken.sizes[:axis], 1, *taken.sizes[axis:]]))]


def _reshape(operands: Operands) -> list[Codes]:
    """Entries keep their order: those of axes next to each other are found again where their
    sizes have the same product."""
    taken, shape = _divided(operands, 0)
    after = known(operands.outputs[0])
    sizes: list[int] = []
    for old, new in known(blocks(shape, after)):
        if all(taken.sizes[axis] == 1 for axis in old):
            sizes += [1] * len(new)
        else:
            taken = _full(taken, shape, old)
            sizes += [known(after[axis]) for axis in new]
    return [operands.codes(0, taken.resized(sizes))]


def _squeeze(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    gone = {axis % len(shape) for axis in operands.attr["squeeze_dims"].list.i}
    if not gone:
        gone = {axis for axis, size in enumerate(shape) if known(size) == 1}
    sizes = [size for axis, size in enumerate(taken.sizes) if axis not in gone]
    return [operands.codes(0, taken.resized(sizes))]


def _bias(operands: Operands) -> list[Codes]:
    """Each entry comes from that at its place, and from the bias of its channel."""
    is_channels_first = "data_format" in operands.attr and operands.attr["data_format"].s == b"NCHW"
    if not is_channels_first:
        return _elementwise(operands)
    data, bias = operands.taken(0), operands.taken(1)
    by_channel = bias.resized([*bias.sizes, *[1] * (len(data.sizes) - 2)])
    return [together([data, by_channel]).mapped(_code_of_entry)]


def _reduce(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    axes = {axis % len(shape) for axis in known(operands.constants[1])}
    mixed = taken.reduced(axes, united)
    keeps = "keep_dims" in operands.attr and operands.attr["keep_dims"].b
    if not keeps:
        mixed = mixed.resized([size for axis, size in enumerate(mixed.sizes) if axis not in axes])
    return [operands.codes(0, mixed)]


def _softmax(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    return [operands.codes(0, taken.reduced({len(shape) - 1}, united))]


def _matrix_product(operands: Operands) -> list[Codes]:
    """Each entry comes from a row of the first matrix and a column of the second."""
    sides = []
    for side, transposes in enumerate((("transpose_a", "adj_x"), ("transpose_b", "adj_y"))):
        taken = operands.taken(side)
        rank = len(taken.sizes)
        if any(name in operands.attr and operands.attr[name].b for name in transposes):
            taken = taken.moved([*range(rank - 2), rank - 1, rank - 2])
        sides.append(taken.reduced({rank - 2 if side else rank - 1}, united))
    return [together(sides).mapped(_code_of_entry)]


def _elementwise(operands: Operands) -> list[Codes]:
    """Each entry comes from those at its place; sizes are aligned at the last axis."""
    if "T" in operands.attr and operands.attr["T"].type == VARIANT:
        raise UnknownError  # a list, whose rows would not be kept
    taken = [
        operands.taken(place) if operands.labels(place) else Grid[Taken]((), (WHOLE,))
        for place in range(len(operands.shapes))
    ]
    codes = together(taken)
    rank = len(known(operands.outputs[0]))
    return [codes.resized([*[1] * (rank - len(codes.sizes)), *codes.sizes]).mapped(_code_of_entry)]


def _reserve(operands: Operands) -> list[Codes]:
    """A list begins with rows of nothing."""
    (count,) = known(operands.constants[1])
    if count > MOST_ENTRIES:
        raise TooLargeError
    return [Grid((count,), (None,) * count)]


def _rows(operands: Operands, rank: int) -> Grid[Taken]:
    """Return what can be taken of a list, the first input, whose elements have ``rank`` axes."""
    known(operands.labels(0))
    taken = operands.taken(0)
    return taken if len(taken.sizes) > 1 else taken.resized([*taken.sizes, *[1] * rank])


def _set_item(operands: Operands) -> list[Codes]:
    shape = known(operands.shapes[2])
    taken, item = _rows(operands, len(shape)), operands.taken(2)
    (index,) = known(operands.constants[1])
    rows = taken.sizes[0]

    def of_list(one: Taken) -> Code | None:
        return None if one == NOTHING else (one, WHOLE, NOTHING)

    def of_item(one: Taken) -> Code | None:
        return None if one == NOTHING else (NOTHING, WHOLE, one)

    if not 0 <= index < rows:  # it grows
        raise UnknownError
    before, after = (
        taken.taken(0, range(*ends)).mapped(of_list) if rows > 1 else None
        for ends in ((0, index), (index + 1, rows))
    )
    row = item.resized([1, *item.sizes]).mapped(of_item)
    return [along(0, [grid for grid in (before, row, after) if grid and grid.items])]


def _get_item(operands: Operands) -> list[Codes]:
    (index,) = known(operands.constants[1])
    rows = _rows(operands, len(known(operands.outputs[0])))
    return [operands.codes(0, _at(rows, 0, index))]


def _gather_rows(operands: Operands) -> list[Codes]:
    rows = _rows(operands, len(known(operands.outputs[0])) - 1)
    return [operands.codes(0, rows.taken(0, known(operands.constants[1])))]


def _stack(operands: Operands) -> list[Codes]:
    return [operands.codes(0, _rows(operands, len(known(operands.outputs[0])) - 1))]


def _list_of(operands: Operands) -> list[Codes]:
    taken, shape = _divided(operands, 0)
    return [operands.codes(0, _full(taken, shape, [0]))]


def _code_of_entry(code: Code) -> Code | None:
    return None if set(code) == {NOTHING} else code


_ELEMENTWISE = ELEMENTWISE.union("Cast Greater GreaterEqual Less LessEqual SelectV2".split())
"""Comparisons and casts too, though no gradient goes on behind them: the way of the data counts."""
_RULES: Mapping[str, Callable[[Operands], Sequence[Codes | None]]] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2", "MatMul"), _matrix_product),
    **dict.fromkeys(("Concat", "ConcatV2"), _concat),
    **dict.fromkeys(("LogSoftmax", "Softmax"), _softmax),
    **dict.fromkeys(("Pad", "PadV2"), _pad),
    **dict.fromkeys(("Split", "SplitV"), _split),
    **dict.fromkeys(("Gather", "GatherV2"), _gather),
    **dict.fromkeys(("Max", "Mean", "Min", "Prod", "Sum"), _reduce),
    "BiasAdd": _bias,
    "ExpandDims": _expand,
    "Pack": _pack,
    "Reshape": _reshape,
    "ReverseV2": _reverse,
    "Roll": _roll,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "TensorListFromTensor": _list_of,
    "TensorListGather": _gather_rows,
    "TensorListGetItem": _get_item,
    "TensorListReserve": _reserve,
    "TensorListSetItem": _set_item,
    "TensorListStack": _stack,
    "Transpose": _transpose,
    "Unpack": _unpack,
}
_LISTS = frozenset({"TensorListFromTensor", "TensorListReserve", "TensorListSetItem"})
"""Ops that give a list, the rows of which are its first axis."""
JOINS = frozenset({"Concat", "ConcatV2", "Pack", "Pad", "PadV2", "TensorListReserve"})
"""Ops that begin parts."""
SELECTIONS = frozenset(
    "Gather GatherV2 Slice Split SplitV StridedSlice TensorListGather TensorListGetItem "
    "Unpack".split()
)
"""Ops that can take some parts and leave others."""
