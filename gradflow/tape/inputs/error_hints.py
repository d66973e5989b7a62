"""Learn from an error of the forward pass which sizes the next attempt should try."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gradflow.files.saved_model.contents import TensorInfo
from gradflow.tape.inputs.attempts import Attempt, Axis, open_axes, shape_of

_NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?![\w.]*\d)")
_SHAPE = re.compile(r"[\[(]((?:(?:\d+|None|\?)\s*,\s*)+(?:\d+|None|\?)?)[\])]")
_RESHAPE = re.compile(
    r"tensor with (\d+) values, but the requested shape (has|requires a multiple of) (\d+)"
)
_AXIS = re.compile(r"to have value (\d+), but received input with shape [\[(]([^\])]*)[\])]")
_PAIR = re.compile(r"must be equal, but are (\d+) and (\d+)|(\d+) (?:vs\.?|!=) (\d+)")
_RANK = re.compile(
    r"(?:expected (?:min_|max_)?ndim=|must be rank |must be |expected rank )(\d)(?:-dimensional|\b)"
)
_RANGE = re.compile(r"is not in \[0, (\d+)\)|outside the valid range of \[0, (\d+)\)")
_BELOW = re.compile(r"Condition x (<=?) y did not hold.*?\[y \([^)]*\) = \] \[+(\d+)\]", re.DOTALL)
"""An assertion that labels stay below the number of classes, as the Estimators of TensorFlow 1 make
it."""
_LARGEST = 20_000
_LARGEST_BATCH = 256
_GENERIC = 6
"""Numbers of a message that are tried as a size for want of a better reading."""
_TELLING = re.compile(
    r"shape|dimension|size|rank|incompatible|equal|expected|multiple|depth|value", re.IGNORECASE
)


def lessons(
    message: str, attempt: Attempt, inputs: Sequence[TensorInfo], highest: int
) -> Iterator[Attempt]:
    """Yield what a message of TensorFlow or Keras suggests to try, the best reading first.

    Args:
        message: the error's text.
        attempt: what was refused.
        inputs: those that are not given by the user.
        highest: the largest number of rows that row numbers were drawn from.
    """
    yield from _row_numbers(message, attempt, inputs, highest)
    rank = _RANK.search(message)
    if rank:
        shapeless = {info.name: int(rank[1]) for info in inputs if info.shape is None}
        if shapeless and attempt.ranks != shapeless:
            yield replace(attempt, ranks=shapeless)
    axes = open_axes(inputs, attempt)
    if axes and _TELLING.search(message):
        sizes = {axis: _size(inputs, attempt, axis) for axis in axes}
        yield from (
            replace(attempt, sizes={**attempt.sizes, **resized})
            for resized in _resized(message, sizes)
        )
    batch = _batch(message, attempt, inputs)
    if batch is not None:
        yield replace(attempt, batch=batch)


def _row_numbers(
    message: str, attempt: Attempt, inputs: Sequence[TensorInfo], highest: int
) -> Iterator[Attempt]:
    match, below = _RANGE.search(message), _BELOW.search(message)
    if match is not None:
        rows = max(1, int(match[1] or match[2]))
    elif below is not None:
        rows = max(1, int(below[2]) + (below[1] == "<="))
    else:
        return
    if rows < highest:
        yield replace(attempt, high=rows)
    axes = open_axes(inputs, attempt)
    if any(_size(inputs, attempt, axis) > rows for axis in axes):
        yield replace(attempt, sizes={**attempt.sizes, **dict.fromkeys(axes, rows)})
    if not attempt.float_ids:
        yield replace(attempt, high=min(rows, attempt.high or rows), float_ids=True)


def _resized(message: str, sizes: Mapping[Axis, int]) -> Iterator[Mapping[Axis, int]]:
    groups = _groups(sizes)
    reshaped = _RESHAPE.search(message)
    if reshaped:
        size_now, size_wanted, is_exact = int(reshaped[1]), int(reshaped[3]), reshaped[2] == "has"
        for group in groups:
            yield from _of_values(group, sizes, size_now, size_wanted, is_exact)
    for size_now, size_wanted in _pairs(message):
        for group in groups:
            size = sizes[group[0]]
            root = (size_wanted / size_now) ** (1 / _depth(group))
            if 1 <= round(size * root) <= _LARGEST and size_now % size == 0:
                yield dict.fromkeys(group, round(size * root))
    numbers = dict.fromkeys(int(text) for text in _NUMBER.findall(message))
    fresh = [
        number for number in numbers if 1 < number <= _LARGEST and number not in sizes.values()
    ]
    for number in fresh[:_GENERIC]:
        yield dict.fromkeys(sizes, number)


def _of_values(
    group: Sequence[Axis],
    sizes: Mapping[Axis, int],
    size_now: int,
    size_wanted: int,
    is_exact: bool,
) -> Iterator[Mapping[Axis, int]]:
    """Sizes with which a tensor of ``size_now`` entries has ``size_wanted``, or a multiple."""
    size, depth = sizes[group[0]], _depth(group)
    each = size_now / size**depth
    for candidate in range(1, _LARGEST if depth == 1 else 1000):
        total = each * candidate**depth
        if total == size_wanted if is_exact else total % size_wanted == 0:
            yield dict.fromkeys(group, candidate)
            return


def _pairs(message: str) -> Iterator[tuple[int, int]]:
    """Pairs of the size that is and the one that should be."""
    axis = _AXIS.search(message)
    if axis:
        sizes = [int(size) for size in re.findall(r"\d+", axis[2])]
        yield from ((size, int(axis[1])) for size in reversed(sizes) if size)
    product = re.search(r"In\[0\]: \[[\d,]*?(\d+)\], In\[1\]: \[(?:\d+,)*?(\d+),\d+\]", message)
    if product:
        yield int(product[1]), int(product[2])
    for first, second in itertools.pairwise(_shapes(message)):
        if len(first) == len(second):
            for left, right in zip(first, second, strict=True):
                if left and right and left != right:
                    yield from ((left, right), (right, left))
    for match in _PAIR.finditer(message):
        left, right = (int(size) for size in match.groups() if size is not None)
        if left and right and left != right:
            yield from ((left, right), (right, left))


def _groups(sizes: Mapping[Axis, int]) -> list[list[Axis]]:
    """Dimensions that may have to change together: all of one size, those of one input, the last of
    each input."""
    first = next(iter(sizes.values()))
    by_input: dict[str, list[Axis]] = {}
    for axis in sizes:
        by_input.setdefault(axis[0], []).append(axis)
    groups = [[axis for axis, size in sizes.items() if size == first], *by_input.values()]
    groups += [[axis] for axis in sizes]
    return list({tuple(group): group for group in groups}.values())


def _depth(group: Sequence[Axis]) -> int:
    """Return how many dimensions of one input a group holds: so often does a size enter a number of
    entries."""
    names = [name for name, _ in group]
    return max(names.count(name) for name in names)


def _batch(message: str, attempt: Attempt, inputs: Sequence[TensorInfo]) -> int | None:
    """Return a batch size that is fixed inside the graph, though the model's inputs leave it
    open."""
    if not any(info.shape is None or (info.shape and info.shape[0] is None) for info in inputs):
        return None
    reshaped = _RESHAPE.search(message)
    if reshaped and reshaped[2] == "has":
        size_now, size_wanted = int(reshaped[1]), int(reshaped[3])
        if size_wanted * attempt.batch % size_now == 0:
            return size_wanted * attempt.batch // size_now
    for first, second in itertools.pairwise(_shapes(message)):
        if (
            len(first) == len(second)
            and first[1:] == second[1:]
            and attempt.batch in (first[0], second[0])
        ):
            batch = second[0] if first[0] == attempt.batch else first[0]
            if batch and batch != attempt.batch and batch <= _LARGEST_BATCH:
                return batch
    return None


def _shapes(message: str) -> list[list[int | None]]:
    return [
        [int(size) if size.isdigit() else None for size in re.findall(r"\d+|None|\?", text)]
        for text in _SHAPE.findall(message)
    ]


def _size(inputs: Sequence[TensorInfo], attempt: Attempt, axis: Axis) -> int:
    return next(shape_of(info, attempt)[axis[1]] for info in inputs if info.name == axis[0])
