"""Differentiate past ops that have no gradient, by TensorFlow's gradient registry."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from gradflow.flow.op_rules import Rule, ops_with, spec
from gradflow.tape.private_api import gradient_entries

T = TypeVar("T")

_MISSING = (
    re.compile(r"gradient registry has no entry for: (\S+)"),
    re.compile(r"No gradient defined for operation.*\(op type: (\w+)\)", re.DOTALL),
)
_LONGEST_CHAIN = 10
_asked: Counter[str] = Counter()


def without_lookup_errors(step: Callable[[], T], lost: Iterable[str] = ()) -> T:
    """Run ``step`` while each op type for which TensorFlow would raise LookupError has a gradient
    of None.

    One such op loses the whole ``tape.gradient`` call otherwise, and with it the verdicts of all
    other variables.
    The types that the op table knows are registered beforehand: a While whose gradient was given up
    half-way is left rewritten (tensorflow/python/ops/while_v2.py) and fails for good. So are
    ``lost``, the custom gradients that a file was saved without, for TensorFlow names IdentityN in
    their place. Others are added as TensorFlow names them.
    """
    with _restored() as entries:
        for kind in lost:
            entries.setdefault(kind, _STAND_IN)
        for op in ops_with(Rule.DISABLED):
            entries[op] = _STAND_IN
        for op in ops_with(Rule.UNREGISTERED):
            entries.setdefault(op, _STAND_IN)
        while True:
            try:
                return step()
            except LookupError as error:
                missing = _missing(error)
                if missing is None or missing in entries:
                    raise
                entries[missing] = _STAND_IN


def _missing(error: BaseException) -> str | None:
    """What has no entry: of a custom gradient, the first error of the chain names it, and the last
    one IdentityN."""
    texts: list[str] = []
    link: BaseException | None = error
    while link is not None and len(texts) < _LONGEST_CHAIN:
        texts.append(str(link))
        link = link.__cause__ or link.__context__
    for pattern in _MISSING:
        match = next(filter(None, map(pattern.search, texts)), None)
        if match:
            return match[1]
    return None


def asked_in_vain() -> Counter[str]:
    """How often this process asked an op for a gradient that TensorFlow does not have, by op type.

    Once is enough to doubt every later model: a ``tf.function`` that two of them share keeps the
    gradient that was built then, and asks no op again.
    """
    return Counter(_asked)


def _no_gradient(op: Any, *_: Any) -> list[None]:
    _asked[str(op.type)] += 1
    return [None] * _input_count(op)


def _input_count(op: Any) -> int:
    if op.inputs is not None:
        return len(op.inputs)
    # A tape hands over no inputs of an op whose own gradient would read none of them
    # (PreventGradient; tensorflow/python/eager/pywrap_gradient_exclusions.cc, TensorFlow 2.21).
    row = spec(str(op.type))
    return 1 if row is None else len(row.inputs)


_STAND_IN = {"type": _no_gradient, "location": "gradflow"}


@contextmanager
def _restored() -> Iterator[dict[str, Any]]:
    """Take the stand-ins out again, and nothing else: a function that is traced meanwhile registers
    its gradients."""
    entries = gradient_entries
    before = dict(entries)
    try:
        yield entries
    finally:
        # What the model itself registered meanwhile stays: its functions may have been traced for
        # the first time.
        for kind in [kind for kind, value in entries.items() if value is _STAND_IN]:
            if kind in before:
                entries[kind] = before[kind]
            else:
                del entries[kind]
