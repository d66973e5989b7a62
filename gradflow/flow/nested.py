"""Put what stands in submodels and scopes under them, so that a map can fold it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

_DEEPEST = 12
"""Levels of a map: a name of a file can have any number of slashes."""


@dataclass(slots=True)
class Nested:
    """A leaf, or what holds others."""

    name: str
    leaf: int | None = None
    """Its number; None where it holds others."""
    inside: list[Nested] = field(default_factory=list)
    is_certain: bool = False
    """The model itself has it: not only the names of its parts tell of it."""


def nested(
    names: Sequence[str],
    ways: Sequence[Sequence[str] | None],
    alone: Collection[int] = (),
) -> list[Nested]:
    """Nest leaves, each where the first of its kind stands.

    Args:
        names: of the leaves.
        ways: what each stands in, as the model says, outermost first; None where only its name
            tells: ``encoder/layer_3/norm`` stands in ``encoder/layer_3``, and that in ``encoder``.
        alone: numbers of leaves that stand in no holder of their own name: an output is often
            called like the submodel that it comes from.
    """
    scopes = [
        scopes_of(name) if way is None else way[:_DEEPEST]
        for name, way in zip(names, ways, strict=True)
    ]
    holders = {tuple(way[:depth]) for way in scopes for depth in range(1, len(way) + 1)}
    certain = {way[-1] for way in ways if way}
    top = Nested("")
    made: dict[tuple[str, ...], Nested] = {(): top}
    for leaf, (name, scope) in enumerate(zip(names, scopes, strict=True)):
        is_holder = (*scope, name) in holders and leaf not in alone
        way = (*scope, name) if is_holder else tuple(scope)
        for depth in range(1, len(way) + 1):
            if way[:depth] not in made:
                holder = Nested(way[depth - 1], is_certain=way[depth - 1] in certain)
                made[way[:depth]] = holder
                made[way[: depth - 1]].inside.append(holder)
        made[way].inside.append(Nested(name, leaf))
    return _without_needless(top.inside)


def scopes_of(name: str) -> list[str]:
    """Return the scopes that a name stands in, outermost first."""
    ends = [position for position, letter in enumerate(name) if letter == "/"]
    return [name[:end] for end in ends[:_DEEPEST] if end]


def _without_needless(items: list[Nested]) -> list[Nested]:
    """Return the items without holders of one item that are scopes and no submodels."""
    result = []
    for item in items:
        item.inside = _without_needless(item.inside)
        is_needless = len(item.inside) == 1 and not item.is_certain
        result.append(item.inside[0] if is_needless else item)
    return result
