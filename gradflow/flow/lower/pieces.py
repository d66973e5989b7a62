"""Name the parts of a tensor that was joined of several, and where each comes from.

Parts stand in a grid over the entries; an op that mixes entries takes several parts at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from gradflow.flow.lower.grid import Grid
from gradflow.lazy_dataclass import dataclass

WHOLE, NOTHING = 0, -1
"""Of an input: all of it, as far as is known; none of its entries."""
MAX_PARTS = 64
Shape = tuple[int | None, ...]
Taken: TypeAlias = "int | tuple[int, ...]"
"""Of an input the part that is taken, or several; ``WHOLE`` or ``NOTHING``."""
Code = tuple[Taken, ...]
"""For each input of an op what is taken of it."""
Codes = Grid[Code | None]
"""For each entry, where it comes from; None where it comes from nothing."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """The parts of a tensor, which are numbered from 1 on."""

    sources: tuple[Code, ...]
    """Where each part comes from."""
    labels: Grid[int] | None = None
    """By entry the part, 0 where it comes from nothing; None where all entries are of one part, or
    all of none."""

    @property
    def is_divided(self) -> bool:
        """Whether its entries are told apart."""
        return self.labels is not None


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

    def labels(self, data: int) -> Grid[int] | None:
        """Return the parts of an input by entry, None where it is not divided."""
        pieces = self.pieces[data]
        return pieces.labels if pieces is not None else None

    def taken(self, data: int) -> Grid[Taken]:
        """Return what is taken of an input by entry, where each entry takes the one at its
        place."""
        labels = self.labels(data)
        if labels is None:
            return Grid((1,) * len(known(self.shapes[data])), (WHOLE,))
        return labels.mapped(lambda label: label or NOTHING)

    def codes(self, data: int, taken: Grid[Taken]) -> Codes:
        """Return where entries come from that take ``taken`` of the input ``data``, the other
        inputs being no data."""
        count = len(self.shapes)

        def code(one: Taken) -> Code | None:
            if one == NOTHING:
                return None
            return tuple(one if place == data else WHOLE for place in range(count))

        return taken.mapped(code)

    def whole(self, name: str) -> int:
        """Return a number among the attributes, 0 where it is missing."""
        return int(self.attr[name].i) if name in self.attr else 0


def parts_in(taken: Taken) -> tuple[int, ...]:
    """Return what is taken, one by one."""
    return taken if isinstance(taken, tuple) else (taken,)


def made(codes: Codes | None, *, is_list: bool) -> Pieces | None:
    """Number the different codes; all rows of a list are kept, also where they are alike."""
    if codes is None:
        return None
    numbers: dict[Code, int] = {}
    for code in dict.fromkeys(codes.items):
        if code is not None:
            numbers[code] = len(numbers) + 1
    if len(numbers) > MAX_PARTS:
        return None
    labels = codes.mapped(lambda code: 0 if code is None else numbers[code])
    if is_list:
        return Pieces(tuple(numbers), labels)
    is_divided = len(set(labels.items)) > 1
    return Pieces(tuple(numbers), labels.shrunk() if is_divided else None)


def known(value: Any) -> Any:
    """Return what a rule needs.

    Raises:
        UnknownError: it is None.
    """
    if value is None:
        raise UnknownError
    return value


def united(taken: Iterable[Taken]) -> Taken:
    """Return what is taken where all of ``taken`` are mixed."""
    parts: set[int] = set()
    for one in taken:
        parts.update(parts_in(one))
    parts.discard(NOTHING)
    if WHOLE in parts:
        return WHOLE
    return tuple(sorted(parts)) if len(parts) > 1 else next(iter(parts), NOTHING)


class UnknownError(Exception):
    """What decides over the entries is no constant."""
