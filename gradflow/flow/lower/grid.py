"""Keep an item for each entry of a tensor, and one for a whole axis along which all are alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import prod
from typing import Generic, TypeVar

from gradflow.lazy_dataclass import dataclass

Item = TypeVar("Item")
Other = TypeVar("Other")
MOST_ENTRIES = 4096


class TooLargeError(Exception):
    """A grid would have more than ``MOST_ENTRIES``."""


@dataclass(frozen=True, slots=True)
class Grid(Generic[Item]):
    """One item for each entry of a tensor, in the order of the entries."""

    sizes: tuple[int, ...]
    """Of each axis the length, or 1 where the items are the same all along it."""
    items: tuple[Item, ...]

    def arranged(
        self, axes: Sequence[tuple[int, Sequence[int]]], sizes: Sequence[int]
    ) -> Grid[Item]:
        """Return the items at the given positions of the given axes, the first axis outermost; each
        axis of a length above 1 is among them. ``sizes`` are those of the result."""
        _refuse_too_large(sizes)
        steps = [prod(self.sizes[axis + 1 :]) for axis in range(len(self.sizes))]
        places = [0]
        for axis, positions in axes:
            places = [place + steps[axis] * one for place in places for one in positions]
        return Grid(tuple(sizes), tuple(self.items[place] for place in places))

    def taken(self, axis: int, positions: Sequence[int]) -> Grid[Item]:
        """Return the items at ``positions`` of one axis, be they different or not."""
        chosen = positions if self.sizes[axis] > 1 or not positions else (0,)
        axes = [
            (other, chosen if other == axis else range(size))
            for other, size in enumerate(self.sizes)
        ]
        return self.arranged(axes, [len(some) for _, some in axes])

    def spread(self, sizes: Sequence[int]) -> Grid[Item]:
        """Return it with at least ``sizes``, axes of length 1 repeated."""
        if all(wanted in (1, size) for size, wanted in zip(self.sizes, sizes, strict=True)):
            return self
        _refuse_too_large(sizes)
        axes = [
            (axis, range(size) if size > 1 else [0] * wanted)
            for axis, (size, wanted) in enumerate(zip(self.sizes, sizes, strict=True))
        ]
        return self.arranged(axes, [len(some) for _, some in axes])

    def moved(self, order: Sequence[int]) -> Grid[Item]:
        """Return it with its axes in another order."""
        sizes = [self.sizes[axis] for axis in order]
        return self.arranged([(axis, range(self.sizes[axis])) for axis in order], sizes)

    def resized(self, sizes: Sequence[int]) -> Grid[Item]:
        """Return the same items as entries of another shape of as many."""
        return Grid(tuple(sizes), self.items)

    def mapped(self, change: Callable[[Item], Other]) -> Grid[Other]:
        """Return it with each item changed; equal items are changed once."""
        changed = {item: change(item) for item in dict.fromkeys(self.items)}
        return Grid(self.sizes, tuple(changed[item] for item in self.items))

    def reduced(
        self, axes: Collection[int], combine: Callable[[Sequence[Item]], Other]
    ) -> Grid[Other]:
        """Return it with ``axes`` of length 1, the items along them combined."""
        kept = [axis for axis in range(len(self.sizes)) if axis not in axes]
        moved = self.moved([*kept, *(axis for axis in range(len(self.sizes)) if axis in axes)])
        count = prod(self.sizes[axis] for axis in axes)
        groups = (moved.items[start : start + count] for start in range(0, len(moved.items), count))
        sizes = [1 if axis in axes else size for axis, size in enumerate(self.sizes)]
        return Grid(tuple(sizes), tuple(map(combine, groups)))

    def is_uniform(self, axis: int) -> bool:
        """Whether nothing changes along an axis."""
        step = prod(self.sizes[axis + 1 :])
        block = step * self.sizes[axis]
        return all(
            self.items[start + step : start + block] == self.items[start : start + block - step]
            for start in range(0, len(self.items), block)
        )

    def shrunk(self) -> Grid[Item]:
        """Return it with each axis of length 1 along which nothing changes."""
        grid = self
        for axis in range(len(self.sizes)):
            if grid.is_uniform(axis):
                grid = grid.taken(axis, [0])
        return grid


def _refuse_too_large(sizes: Sequence[int]) -> None:
    """Stand before what makes a list of these sizes; an axis of length 0 is made last."""
    if prod(max(size, 1) for size in sizes) > MOST_ENTRIES:
        raise TooLargeError


def along(axis: int, grids: Sequence[Grid[Item]]) -> Grid[Item]:
    """Join grids along an axis, in which each has its full length."""
    rank = len(grids[0].sizes)
    widest = [max(grid.sizes[other] for grid in grids) for other in range(rank)]
    spread = [
        grid.spread([grid.sizes[axis] if other == axis else widest[other] for other in range(rank)])
        for grid in grids
    ]
    length = sum(grid.sizes[axis] for grid in grids)
    _refuse_too_large([*widest[:axis], length, *widest[axis + 1 :]])
    inner = prod(widest[axis + 1 :])
    items: list[Item] = []
    for outer in range(prod(widest[:axis])):
        for grid in spread:
            step = grid.sizes[axis] * inner
            items += grid.items[outer * step : (outer + 1) * step]
    return Grid((*widest[:axis], length, *widest[axis + 1 :]), tuple(items))


def together(grids: Sequence[Grid[Item]]) -> Grid[tuple[Item, ...]]:
    """Return the items at the same place of each, sizes aligned at the last axis."""
    rank = max(len(grid.sizes) for grid in grids)
    padded = [grid.resized([1] * (rank - len(grid.sizes)) + list(grid.sizes)) for grid in grids]
    widest = [max(grid.sizes[axis] for grid in padded) for axis in range(rank)]
    spread = [grid.spread(widest).items for grid in padded]
    return Grid(tuple(widest), tuple(zip(*spread, strict=True)))


def blocks(
    before: Sequence[int | None], after: Sequence[int | None]
) -> list[tuple[range, range]] | None:
    """Return the axes of one shape and those of another that hold the same entries, in order; None
    where the sizes do not tell."""
    found: list[tuple[range, range]] = []
    ends = [0, 0]
    shapes = (before, after)
    if not all(_unknown_together(shape) for shape in shapes):
        return None
    while ends != [len(before), len(after)]:
        starts, sizes = list(ends), [1, 1]
        if all(
            end < len(shape) and shape[end] is None for shape, end in zip(shapes, ends, strict=True)
        ):
            ends = [end + 1 for end in ends]
        while starts == ends or sizes[0] != sizes[1]:
            smaller = sizes[0] > sizes[1]
            size, side = None, smaller
            for side in (smaller, not smaller):
                if ends[side] < len(shapes[side]):
                    size = shapes[side][ends[side]]
                if size is not None:
                    break
            if not size:
                return None
            sizes[side] *= size
            ends[side] += 1
        found.append((range(starts[0], ends[0]), range(starts[1], ends[1])))
    return found


def _unknown_together(shape: Sequence[int | None]) -> bool:
    """Whether the unknown sizes stand side by side: else a size between them says nothing."""
    places = [axis for axis, size in enumerate(shape) if size is None]
    return not places or places[-1] - places[0] == len(places) - 1
