"""Names, counts and shapes to words that are safe to show."""

from __future__ import annotations

from collections.abc import Sequence


def safe(text: str) -> str:
    """Return ``text`` with everything that a terminal could obey written as an escape.

    Names come from the model file: control characters, terminal escapes, bidirectional overrides,
    lone surrogates and line breaks become ``\\x1b``, ``\\u202e`` and the like.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def counted(number: int, noun: str) -> str:
    """``1 weight``, ``4,160 weights``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def spec(dtype: str, shape: Sequence[int | None]) -> str:
    """``float32[2,6]``, with ``?`` for an unknown dimension."""
    return f"{safe(dtype)}[{','.join('?' if size is None else str(size) for size in shape)}]"
