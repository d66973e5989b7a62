"""Read a table of a TOML file into plain values, and find the line of each."""

from __future__ import annotations

import re
import sys
from datetime import date, time
from typing import Any

from gradflow.config.parse import Path, Problem, Tree

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # up to two quotes may stand before the closing three
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")
_ERROR_LINE = re.compile(r"at line (\d+)")


def read_toml(text: str, table: tuple[str, ...]) -> Tree:
    """Read the ``table`` of a TOML file, such as ``("tool", "gradflow")``.

    The value is None where the table is missing; a syntax error is a problem of the tree.
    """
    tree = Tree()
    try:
        value: Any = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number that Python does not read
        match = _ERROR_LINE.search(str(error))
        line = int(match[1]) if match else 1
        tree.problems.append(Problem(line, f"is not TOML: {error}"))
        return tree
    for key in table:
        value = value.get(key) if isinstance(value, dict) else None
    tree.value = _without_dates(value)
    if value is not None:
        depth = len(table)
        tree.lines = {
            path[depth:]: line for path, line in lines_of(text).items() if path[:depth] == table
        }
    return tree


def lines_of(text: str) -> dict[Path, int]:
    """Find the line, from 1, of each key and each item of an array in valid TOML.

    The parser of Python's library keeps no lines. As the text is valid, strings, brackets and
    separators are all that has to be told apart.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """Walks valid TOML from its first character to its last."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._position = 0
        self._line, self._counted = 1, 0
        self._lengths: dict[Path, int] = {}
        """How many tables an array of tables has so far."""

    def document(self) -> None:
        """Walk headers and the keys below each."""
        table: Path = ()
        self._skip(_BLANK)
        while self._position < len(self._text):
            if self._text[self._position] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        is_array = self._text.startswith("[[", self._position)
        self._position += 1 + is_array
        line = self._line_here()
        keys = self._key()
        self._position += 1 + is_array
        path: Path = ()
        for depth, key in enumerate(keys, start=1):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if is_array and depth == len(keys):
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
                self.lines.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line_here()
        path = table
        for key in self._key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._position += 1  # =
        self._skip(_BLANK)
        self._value(path)

    def _key(self) -> list[str]:
        """Return the parts of a key, up to the sign behind it."""
        parts = []
        while True:
            self._skip(_BLANK)
            if self._text[self._position] in "\"'":
                parts.append(tomllib.loads(f"key = {self._skip(_STRING)}")["key"])
            else:
                parts.append(self._skip(_BARE_KEY))
            self._skip(_BLANK)
            if self._text[self._position] != ".":
                return parts
            self._position += 1

    def _value(self, path: Path) -> None:
        sign = self._text[self._position]
        if sign in "[{":
            self._items(path, "]" if sign == "[" else "}")
        else:
            self._skip(_STRING if sign in "\"'" else _SCALAR)

    def _items(self, path: Path, closing: str) -> None:
        """Walk an array or an inline table."""
        self._position += 1
        index = 0
        self._skip(_BLANK)
        while self._text[self._position] != closing:
            if closing == "}":
                self._pair(path)
            else:
                inside = (*path, index)
                self.lines[inside] = self._line_here()
                self._value(inside)
                index += 1
            self._skip(_BLANK)
            if self._text[self._position] == ",":
                self._position += 1
                self._skip(_BLANK)
        self._position += 1

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._position)
        if match is None:
            raise ValueError(f"not TOML at character {self._position}")
        self._position = match.end()
        return match[0]

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line


def _without_dates(value: Any) -> Any:
    """TOML has dates of its own, which stand for their texts here, as in YAML."""
    if isinstance(value, dict):
        return {key: _without_dates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_dates(item) for item in value]
    return value.isoformat() if isinstance(value, date | time) else value
