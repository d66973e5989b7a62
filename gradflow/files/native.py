"""Hold back the parsers that are no Python code, in a process that reads files of several owners.

A fault in one of them can do what no check in Python sees, so that what such a process reads next
would be in the hands of the file before.
"""

from __future__ import annotations

_held_back: list[bool] = []


class HeldBackError(BaseException):
    """A native parser would have been used; no handler of the errors of a file takes it for one."""


def hold_back() -> None:
    """Let no native parser be used in this process, from here on."""
    _held_back.append(True)


def native_parser() -> None:
    """Stand before each use of a native parser.

    Raises:
        HeldBackError: there is to be none.
    """
    if _held_back:
        raise HeldBackError
