"""Make text that comes from a file safe to show.

Names, paths and messages of a model file are somebody else's words: a terminal, a browser or the
log of a CI system must not obey them. Whatever is shown goes through ``shown``, whatever is
written as JSON through ``as_json``. What a format needs beyond that (Markdown, XML, the workflow
commands of GitHub) is the matter of that format alone.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_COMMAND = "##["
"""Begins a command of Azure Pipelines and GitHub Actions wherever it stands in a line of a log."""


def shown(text: Path | str) -> str:
    """Return ``text`` on one line, with an escape for everything that could be obeyed.

    Control characters, terminal escapes, bidirectional overrides, lone surrogates and line breaks
    become ``\\x1b``, ``\\u202e`` and the like, and ``##[`` becomes ``#\\x23[``. To show the result
    once more changes nothing.
    """
    text = str(text).replace(_COMMAND, "#\\x23[")
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def quoted(text: str) -> str:
    """Return ``text`` as ``shown`` does, quoted: a backslash is doubled, an escape is not."""
    return shown(repr(text))


def closest(word: str, words: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return those of ``words`` that are the most like ``word``, as ``difflib`` finds them."""
    import difflib  # seldom needed

    return difflib.get_close_matches(word, list(words), most, cutoff)


def near(word: str, words: Iterable[str]) -> str:
    """Return a question for the nearest of ``words``, to begin a hint: ``did you mean 'head'? ``;
    empty where none is near."""
    close = closest(word, words)
    return f"did you mean {close[0]!r}? " if close else ""


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence has them: ``a, b and c``."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def first_few(names: Sequence[str], most: int = 3) -> str:
    """Return the first names, and how many more there are: ``a, b, c and 12 more``."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def as_json(value: object, indent: int | None = 2) -> str:
    """Return plain values as JSON text in ASCII: the same bytes on every platform.

    Unlike ``shown`` it loses nothing: who reads the JSON gets every name as it is in the file.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    return json.dumps(value, indent=indent, allow_nan=False).replace(_COMMAND, "#\\u0023[")


def encodable(value: T, encoding: str) -> T:
    """Return a text, or a result with all the texts in it, that ``encoding`` can hold.

    Other characters become escapes: do it before the lines are laid out, since an escape is wider
    than the character that it stands for. A result stays as it is for UTF-8, which lacks nothing
    but what ``shown`` escapes anyway.
    """
    result: Any = value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        result = value.encode(encoding, "backslashreplace").decode(encoding)
    elif codecs.lookup(encoding).name == "utf-8":
        return value
    elif isinstance(value, tuple):
        result = tuple(encodable(item, encoding) for item in value)
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        result = replace(value, **{name: encodable(part, encoding) for name, part in parts.items()})
    return result  # type: ignore[no-any-return]  # of the type of ``value``
