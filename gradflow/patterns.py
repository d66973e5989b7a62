"""Tell whether a pattern such as ``backbone/**`` covers a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

SYNTAX = "* is one path segment or a part of one, ** is any number of segments"
TAKEN_OUT = "!"
"""Begins a pattern of a list that takes out again what those before it covered."""
_LITERAL = "\\"
"""Before a ``*``, or a ``!`` at the beginning: it is a part of the name."""
_STARS = re.compile(r"(?<!\\)\*+")


def matches(pattern: str, name: str) -> bool:
    """Return whether ``pattern`` covers the variable ``name``.

    A name that was made unique by a suffix (``dense/kernel@towers.left``) is covered by what covers
    it without: both weights of one name are meant unless the pattern says more.
    """
    covers = _compiled(pattern).fullmatch
    return covers(f"/{name}") is not None or (
        "@" in name and covers(f"/{name.rpartition('@')[0]}") is not None
    )


class Named(Protocol):
    """A variable with a name, and with a path among the layers where that is known."""

    @property
    def name(self) -> str: ...  # noqa: D102 -- the class says it
    @property
    def layer_path(self) -> str: ...  # noqa: D102 -- the class says it


_Named = TypeVar("_Named", bound=Named)


def covers(pattern: str, variable: Named) -> bool:
    """Return whether ``pattern`` covers the variable by its name or by its path among the layers:
    ``backbone/**`` is a submodel's weights."""
    return matches(pattern, variable.name) or (
        variable.layer_path != "" and matches(pattern, variable.layer_path)
    )


def all_covered(patterns: Iterable[str], variables: Sequence[_Named]) -> list[_Named]:
    """Return those of the ``variables`` that a list of patterns covers in the end."""
    covered: set[str] = set()
    for pattern in patterns:
        if pattern.startswith(TAKEN_OUT):
            out = pattern.removeprefix(TAKEN_OUT)
            covered -= {item.name for item in variables if covers(out, item)}
        else:
            covered |= {item.name for item in variables if covers(pattern, item)}
    return [variable for variable in variables if variable.name in covered]


def covering(patterns: Iterable[str], variable: Named) -> str | None:
    """Return the first of ``patterns`` that covers the variable and after which none takes it out
    again; None where there is none."""
    first = None
    for pattern in patterns:
        if pattern.startswith(TAKEN_OUT):
            if first is not None and covers(pattern.removeprefix(TAKEN_OUT), variable):
                first = None
        elif first is None and covers(pattern, variable):
            first = pattern
    return first


@lru_cache(maxsize=1 << 14)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Every segment brings the slash before it, so that ``**`` may stand for none at all."""
    parts = [
        r"(?:/[^/]+)*" if segment == "**" else "/" + _segment(segment)
        for segment in _begun(pattern).split("/")
    ]
    return re.compile("".join(parts), re.DOTALL)


def _begun(pattern: str) -> str:
    """Return a pattern without what keeps its beginning from taking out."""
    return pattern.removeprefix(_LITERAL) if pattern.startswith(_LITERAL + TAKEN_OUT) else pattern


def _segment(segment: str) -> str:
    if segment == "*":
        return "[^/]+"
    return "[^/]*".join(
        re.escape(part.replace(_LITERAL + "*", "*")) for part in _STARS.split(segment)
    )


def literal(name: str) -> str:
    """Return the pattern that covers that very name: a layer can be called ``**``."""
    return begin(within(name))


def within(part: str) -> str:
    """Return a part of a name as it stands in a pattern."""
    return part.replace("*", _LITERAL + "*")


def begin(pattern: str) -> str:
    """Return a pattern that takes nothing out, whatever the first name in it begins with."""
    return _LITERAL + pattern if pattern.startswith(TAKEN_OUT) else pattern
