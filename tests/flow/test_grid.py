"""A grid holds the items of a tensor's entries, whatever axes it leaves out: against numpy."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.flow.lower.grid import MOST_ENTRIES, Grid, TooLargeError, along, blocks, together

SIZES = st.lists(st.integers(1, 3), min_size=1, max_size=4)


def numbered(sizes: list[int]) -> tuple[Grid[int], np.ndarray]:
    array = np.arange(int(np.prod(sizes))).reshape(sizes) // 2
    return Grid(tuple(sizes), tuple(array.ravel().tolist())), array


def as_array(grid: Grid[int], sizes: tuple[int, ...] | None = None) -> np.ndarray:
    array = np.array(grid.items).reshape(grid.sizes)
    return array if sizes is None else np.broadcast_to(array, sizes)


@given(SIZES, st.data())
def test_axes_are_taken_moved_and_reduced_as_numpy_does(
    sizes: list[int], data: st.DataObject
) -> None:
    grid, array = numbered(sizes)
    axis = data.draw(st.integers(0, len(sizes) - 1))
    positions = data.draw(st.lists(st.integers(0, sizes[axis] - 1), min_size=1, max_size=3))
    wanted = array.take(positions, axis)
    assert (as_array(grid.taken(axis, positions), wanted.shape) == wanted).all()
    assert (as_array(grid.shrunk(), array.shape) == array).all()
    order = data.draw(st.permutations(range(len(sizes))))
    assert (as_array(grid.moved(order)) == array.transpose(order)).all()
    axes = data.draw(st.sets(st.integers(0, len(sizes) - 1)))
    reduced = as_array(grid.reduced(axes, sum))
    assert (reduced == array.sum(tuple(axes), keepdims=True)).all()


@given(SIZES, st.data())
def test_grids_are_joined_and_brought_together_as_numpy_does(
    sizes: list[int], data: st.DataObject
) -> None:
    (grid, array), (other, others) = numbered(sizes), numbered([min(2, size) for size in sizes])
    axis = data.draw(st.integers(0, len(sizes) - 1))
    thin = other.taken(axis, [0])
    for place in range(len(sizes)):
        thin = thin.taken(place, [0])
    joined = as_array(along(axis, [grid, thin]))
    assert (joined == np.concatenate([array, np.full_like(array.take([0], axis), 0)], axis)).all()
    pairs = together([grid, thin])
    assert pairs.sizes == grid.sizes
    assert pairs.items == tuple((item, others.ravel()[0]) for item in grid.items)


@given(SIZES, SIZES, st.booleans())
def test_blocks_hold_the_same_entries(before: list[int], after: list[int], is_open: bool) -> None:
    shapes = [[None, *before] if is_open else before, [None, *after] if is_open else after]
    found = blocks(*shapes)
    if np.prod(before) != np.prod(after):
        assert found is None
        return
    assert found is not None
    for old, new in found:
        sizes = [
            [shape[axis] for axis in axes] for shape, axes in zip(shapes, (old, new), strict=True)
        ]
        assert sizes[0] == sizes[1] == [None] or np.prod(sizes[0]) == np.prod(sizes[1])
    assert [axis for old, _ in found for axis in old] == list(range(len(shapes[0])))
    assert [axis for _, new in found for axis in new] == list(range(len(shapes[1])))


@pytest.mark.parametrize(
    "sizes", [[1 << 20, 1], [1, 1 << 50], [1 << 50, 0], [0, 1 << 50], [65, 64]]
)
def test_a_grid_that_is_too_large_is_refused_before_it_is_made(sizes: list[int]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            Grid((1, 1), (7,)).spread(sizes)
        assert tracemalloc.get_traced_memory()[1] < 8 * MOST_ENTRIES
    finally:
        tracemalloc.stop()
