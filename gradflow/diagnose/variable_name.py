"""Find the full name of the variable that the user means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradflow.errors import UsageError
from gradflow.text import closest

_SHOWN = 6


def find(word: str, names: Sequence[str]) -> str:
    """Return the one of ``names`` that equals ``word`` or ends with its segments, without
    TensorFlow's ``:0``.

    Raises:
        UsageError: no name or several names match; the hint lists the nearest ones.
    """
    path = word.removesuffix(":0").strip("/")
    if word in names:
        return word
    if path in names:
        return path
    matches = [name for name in names if path and name.endswith(f"/{path}")]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(
            f"variable {word!r}: {len(matches)} names end with it",
            f"give more of the name: {_listed(matches, 'or')}",
        )
    raise UsageError(
        f"variable {word!r}: the model has no variable of that name", _hint(path, names)
    )


def _hint(path: str, names: Sequence[str]) -> str:
    if not names:
        return "it has no variables at all"
    inside = [name for name in names if path and f"/{path}/" in f"/{name}"]
    if inside:
        return f"it contains {_listed(inside, 'and')}"
    # A layer of a model inside of another has a name without that model.
    tails = [name for name in names if f"/{path}".endswith(f"/{name}")]
    near = tails or _nearest(path, names)
    if near:
        return f"did you mean {_listed(near, 'or')}?"
    if len(names) <= _SHOWN:
        return f"it has {_listed(names, 'and')}"
    return "gradflow inspect MODEL --all lists them"


def _nearest(path: str, names: Iterable[str]) -> list[str]:
    """Return the names that are spelled most alike: the whole name, or as many of its last segments
    as ``path`` has."""
    segments = path.count("/") + 1
    ends: dict[str, list[str]] = {}
    for name in names:
        for end in dict.fromkeys((name, "/".join(name.split("/")[-segments:]))):
            ends.setdefault(end, []).append(name)
    close = closest(path, ends, 3, 0.7)
    return list(dict.fromkeys(name for end in close for name in ends[end]))


def _listed(names: Sequence[str], conjunction: str) -> str:
    if len(names) > _SHOWN:
        return f"{', '.join(names[:_SHOWN])} ... ({len(names)} in all)"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {conjunction} {names[-1]}"
