"""Group layers of one block by their names (``block4a_conv``), so that few are seen at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from gradflow.flow.nested import Nested

_READABLE = 40
"""Items in one place that are seen at a glance; of more, blocks are made."""
_MOST = 300
"""Items in one place at most, whatever their names are."""
_PARTS = 100
"""Parts that a longer row is cut into, at most."""
_SMALLEST = 3
"""Items of a block."""
_NUMBERED = re.compile(r"\d+([a-z]?)(?=[_.-]|$)")
_LEVELS = 3


def in_blocks(items: Sequence[Nested], alone: Collection[int] = ()) -> list[Nested]:
    """Return ``items``, with those whose names begin alike under one block each, at every level.

    ``block4a_expand_conv`` stands in ``block4a``, and that in ``block4``; ``conv2_block1_1_bn`` in
    ``conv2_block1``, and that in ``conv2``. A row that is too long for a map all the same is cut
    into parts. Both keep the order, so that no data goes from a block to itself through another.

    Args:
        items: at one level, in the order of the data.
        alone: numbers of leaves that belong to no block by their names: inputs and outputs.
    """
    for item in items:
        item.inside = in_blocks(item.inside, alone)
    if len(items) <= _READABLE:
        return list(items)
    return _in_parts(_by_name(items, 0, lambda item: item.leaf in alone))


def _by_name(
    items: Sequence[Nested], level: int, is_alone: Callable[[Nested], bool]
) -> list[Nested]:
    """Put items in a row whose names tell of the same block at ``level`` under it."""
    result: list[Nested] = []
    row: list[Nested] = []
    name = ""
    for item in [*items, Nested("")]:
        blocks = [] if is_alone(item) else _blocks(item.name)
        own = blocks[level] if level < len(blocks) else ""
        if row and (own != name or not own):
            result += _as_block(name, row, len(items), level, is_alone)
            row = []
        name = own
        row.append(item)
    return result


def _as_block(
    name: str,
    row: list[Nested],
    siblings: int,
    level: int,
    is_alone: Callable[[Nested], bool],
) -> list[Nested]:
    if not name or len(row) < _SMALLEST:
        return row
    inside = _by_name(row, level + 1, is_alone)
    return inside if len(row) == siblings else [Nested(name, inside=inside)]


def _blocks(name: str) -> list[str]:
    """Return the blocks that a name tells of, outermost first."""
    blocks: dict[str, None] = {}
    for match in _NUMBERED.finditer(name):
        if match[1]:
            blocks[name[: match.end() - 1]] = None
        blocks[name[: match.end()]] = None
        if len(blocks) >= _LEVELS:
            break
    return list(blocks)


def _in_parts(items: list[Nested]) -> list[Nested]:
    """Cut a row that is too long into parts of equal length."""
    if len(items) <= _MOST:
        return items
    size = max(-(-len(items) // _PARTS), _SMALLEST)
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    return [
        Nested(f"{part[0].name} ... {part[-1].name}", inside=_in_parts(part))
        if len(part) > 1
        else part[0]
        for part in parts
    ]
