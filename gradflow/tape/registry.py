"""TensorFlow's gradient registry, and a way to step over ops that have no gradient.

Private TensorFlow API: ``tensorflow.python.framework.ops.gradient_registry``, checked on 2.16.1 and 2.21.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tensorflow.python.framework import ops

from gradflow.flow.rules import Rule, known_ops, spec

T = TypeVar("T")

_MISSING = (
    re.compile(r"gradient registry has no entry for: (\S+)"),
    re.compile(r"No gradient defined for operation.*\(op type: (\w+)\)", re.DOTALL),
)
_DISABLED = "PreventGradient"
_STAND_INS = (Rule.UNREGISTERED, Rule.DISABLED)


def without_lookup_errors(step: Callable[[], T]) -> T:
    """Run ``step`` while each op type for which TensorFlow would raise LookupError has a gradient of None.

    One such op loses the whole ``tape.gradient`` call otherwise, and with it the verdicts of all other variables.
    The types that the op table knows are registered beforehand: a While whose gradient was given up half-way is left
    rewritten (tensorflow/python/ops/while_v2.py) and fails for good. Others are added as TensorFlow names them.
    """
    seen: set[str] = set()
    with _restored() as entries:
        for op in known_ops():
            known = spec(op)
            if known is not None and known.rule in _STAND_INS and (op == _DISABLED or op not in entries):
                entries[op] = _STAND_IN
        while True:
            try:
                return step()
            except LookupError as error:
                missing = _op_type(error)
                if missing is None or missing in seen:
                    raise
                seen.add(missing)
                entries[missing] = _STAND_IN


def _op_type(error: LookupError) -> str | None:
    text = str(error)
    if "Gradient explicitly disabled" in text:
        return _DISABLED
    for pattern in _MISSING:
        match = pattern.search(text)
        if match:
            return match[1]
    return None


def _no_gradient(op: Any, *_: Any) -> list[None]:
    return [None] * len(op.inputs)


_STAND_IN = {"type": _no_gradient, "location": "gradflow"}


@contextmanager
def _restored() -> Iterator[dict[str, Any]]:
    entries: dict[str, Any] = ops.gradient_registry._registry
    before = dict(entries)
    try:
        yield entries
    finally:
        entries.clear()
        entries.update(before)
