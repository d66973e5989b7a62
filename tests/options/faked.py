"""An analysis that is not run, and notes what it is asked; values for every kind of option."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

import gradflow
from gradflow.findings import Report
from gradflow.options import Declared, Options
from gradflow.options.kinds import (
    Choice,
    Flag,
    Inputs,
    Limits,
    Memory,
    Modules,
    Patterns,
    Seconds,
    Text,
    Texts,
    Whole,
)
from gradflow.process import parent
from tests.cli.command import CUT

WRITTEN: dict[type, tuple[Any, Any, Any]] = {
    Text: ("text", "text", "text"),
    Texts: ("text", ["text"], ["text"]),
    Modules: ("package.module", ["package.module"], ["package.module"]),
    Patterns: (None, ["a/**"], None),
    Memory: ("2GB", "2GB", "2GB"),
    Inputs: ("x=float32[2,3]", {"x": {"dtype": "float32", "shape": [2, 3]}}, {"x": "float32[2,3]"}),
    Limits: (None, {"vanishing": 1e-3, "exploding": 1e3}, None),
}
"""For a kind, the same value as the command line, a configuration and Python write it."""


def written(option: Declared) -> tuple[list[str], Any, Any]:
    """A value that is not the default: arguments, a value of YAML, a value of Python."""
    kind = option.kind
    if isinstance(kind, Flag):
        value = not option.default
        flag = option.flag if value else kind.off
        return ([flag] if flag else []), value, value
    if isinstance(kind, Whole | Seconds):
        value = (option.default or 0) + 1
        return [str(option.flag), str(value)], value, value
    if isinstance(kind, Choice):
        word = next(name for name in kind.names if name != option.default.value)
        return [str(option.flag), word], word, word
    argument, yaml, python = WRITTEN[type(kind)]
    return [str(option.flag), argument], yaml, python


@cache
def _report() -> Report:
    return gradflow.inspect(CUT, static=True)


@contextmanager
def faked() -> Iterator[list[Options]]:
    """Give the same report to every analysis; yield the options of each."""
    report = _report()
    asked: list[Options] = []

    def outcome(_purpose: Any, path: str, options: Options, *_: Any, **__: Any) -> parent.Outcome:
        asked.append(options)
        return parent.Outcome(report.models[0], report.tool)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parent, "_outcome", outcome)
        patch.setattr(parent, "has_tensorflow", lambda: True)
        patch.setattr("gradflow.cli.needs_tensorflow.has_tensorflow", lambda: True)
        patch.setattr("gradflow.api.has_tensorflow", lambda: True)
        patch.setattr(parent, "unsupported_version", lambda: "")
        yield asked
