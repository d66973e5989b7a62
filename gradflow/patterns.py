"""Tell whether a pattern such as ``backbone/**`` covers a name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

SYNTAX = "* is one path segment or a part of one, ** is any number of segments"


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


def covers(pattern: str, variable: Named) -> bool:
    """Return whether ``pattern`` covers the variable by its name or by its path among the layers:
    ``backbone/**`` is a submodel's weights."""
    return matches(pattern, variable.name) or (
        variable.layer_path != "" and matches(pattern, variable.layer_path)
    )


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Every segment brings the slash before it, so that ``**`` may stand for none at all."""
    parts = [
        r"(?:/[^/]+)*" if segment == "**" else "/" + _segment(segment)
        for segment in pattern.split("/")
    ]
    return re.compile("".join(parts), re.DOTALL)


def _segment(segment: str) -> str:
    if segment == "*":
        return "[^/]+"
    return "[^/]*".join(re.escape(part) for part in re.split(r"\*+", segment))
