"""Names, counts and shapes to words that are safe to show."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any, TypeVar

from gradflow.findings.wire import decode, encode

T = TypeVar("T")


def safe(text: str) -> str:
    """Return ``text`` with everything that a terminal or a CI log could obey written as an escape.

    Names come from the model file: control characters, terminal escapes, bidirectional overrides,
    lone surrogates and line breaks become ``\\x1b``, ``\\u202e`` and the like. ``##[`` begins a
    command of Azure Pipelines and GitHub Actions wherever it stands in a line.
    """
    text = text.replace("##[", "#\\x23[")
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def counted(number: int, noun: str) -> str:
    """``1 weight``, ``4,160 weights``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def spec(dtype: str, shape: Sequence[int | None]) -> str:
    """``float32[2,6]``, with ``?`` for an unknown dimension."""
    return f"{safe(dtype)}[{','.join('?' if size is None else str(size) for size in shape)}]"


def storable(value: T, encoding: str) -> T:
    """Return a result ``value`` with what ``encoding`` cannot hold written as an escape in all its
    texts.

    Before the layout, since an escape is wider than the character that it stands for.
    """
    if codecs.lookup(encoding).name == "utf-8":
        return value

    def escaped(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: escaped(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [escaped(inner) for inner in item]
        return (
            item.encode(encoding, "backslashreplace").decode(encoding)
            if isinstance(item, str)
            else item
        )

    return decode(type(value), escaped(encode(value)))
