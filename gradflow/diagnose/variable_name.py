"""What the user calls a variable in, its full name out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from gradflow.errors import UsageError

_SHOWN = 6


def find(asked: str, names: Sequence[str]) -> str:
    """Return the one of ``names`` that is ``asked`` or ends in its segments; TensorFlow's ``:0``
    may follow.

    Raises:
        UsageError: there is no such name, or there are several; the hint tells the nearest ones.
    """
    wanted = asked.removesuffix(":0").strip("/")
    if asked in names:
        return asked
    if wanted in names:
        return wanted
    ending = [name for name in names if wanted and name.endswith(f"/{wanted}")]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise UsageError(
            f"variable {asked!r}: {len(ending)} names end so",
            f"give more of the name: {_listed(ending, 'or')}",
        )
    raise UsageError(f"variable {asked!r}: the model has none of that name", _hint(wanted, names))


def _hint(wanted: str, names: Sequence[str]) -> str:
    if not names:
        return "it has no variables at all"
    inside = [name for name in names if wanted and f"/{wanted}/" in f"/{name}"]
    if inside:
        return f"it has these in it: {_listed(inside, 'and')}"
    near = _nearest(wanted, names)
    if near:
        return f"did you mean {_listed(near, 'or')}?"
    if len(names) <= _SHOWN:
        return f"it has {_listed(names, 'and')}"
    return "gradflow inspect MODEL --all lists them"


def _nearest(wanted: str, names: Iterable[str]) -> list[str]:
    """The names that are spelled most alike, whole or by as many of their last segments as
    ``wanted`` has."""
    segments = wanted.count("/") + 1
    ends: dict[str, list[str]] = {}
    for name in names:
        for end in dict.fromkeys((name, "/".join(name.split("/")[-segments:]))):
            ends.setdefault(end, []).append(name)
    close = difflib.get_close_matches(wanted, ends, n=3, cutoff=0.7)
    return list(dict.fromkeys(name for end in close for name in ends[end]))


def _listed(names: Sequence[str], word: str) -> str:
    if len(names) > _SHOWN:
        return f"{', '.join(names[:_SHOWN])} ... ({len(names)} in all)"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
