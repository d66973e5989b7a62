"""Collect the codes of the report: what each one means, why it happens, what to do about it.

Each code is one entry in the module of its family. Everything else is made from the entries.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from gradflow.catalogue.data_fixes import IN_STEP
from gradflow.catalogue.entry import CodeEntry, Family
from gradflow.catalogue.gf1_flags import FLAGS
from gradflow.catalogue.gf2_cuts import CUTS
from gradflow.catalogue.gf3_values import VALUES
from gradflow.catalogue.gf4_expectations import EXPECTATIONS
from gradflow.catalogue.gf5_training import TRAINING
from gradflow.catalogue.gf9_failures import FAILURES
from gradflow.errors import UsageError
from gradflow.text import closest

__all__ = [
    "BY_EDGE",
    "BY_MARK",
    "BY_RULE",
    "CATALOGUE",
    "CodeEntry",
    "Family",
    "entry",
    "in_step",
    "look_up",
    "series",
]

_ENTRIES = (*FLAGS, *CUTS, *VALUES, *EXPECTATIONS, *TRAINING, *FAILURES)
_Key = TypeVar("_Key", bound=Hashable)


def _unique(pairs: Iterable[tuple[_Key, CodeEntry]]) -> Mapping[_Key, CodeEntry]:
    """Index entries.

    Raises:
        ValueError: two entries claim the same key.
    """
    index: dict[_Key, CodeEntry] = {}
    for key, item in pairs:
        if key in index:
            raise ValueError(f"{index[key].code} and {item.code} both claim {key!r}")
        index[key] = item
    return MappingProxyType(index)


CATALOGUE = _unique((item.code, item) for item in _ENTRIES)
"""Every code, in order."""
BY_RULE = _unique((rule, item) for item in _ENTRIES for rule in item.rules)
"""The entry that each rule of an op leads to."""
BY_EDGE = _unique((edge, item) for item in _ENTRIES for edge in (*item.edges, *item.measured))
"""The entry that an edge of this kind leads to, also where a real step has shown it."""
BY_MARK = _unique((mark, item) for item in _ENTRIES for mark in item.marks)
"""The entry that a mark of a node leads to."""
_IN_STEP = {**IN_STEP, **{item.fix: item.step_fix for item in _ENTRIES if item.step_fix}}
_BY_WORD = _unique(
    (re.sub(r"[\s_-]", "", word).lower(), item)
    for item in _ENTRIES
    for word in (item.code, item.kind)
)

_BEGINNING = re.compile(r"(?P<beginning>GF[0-9]{1,2})[x*?]{0,2}", re.IGNORECASE)
"""Some of the digits of a code, and signs for those that are left open."""


def entry(code: str) -> CodeEntry:
    """Return the entry of a code, in either case.

    Raises:
        KeyError: the catalogue has no such code.
    """
    return CATALOGUE[code.upper()]


def in_step(fix: str) -> str:
    """Return what to do in a training step of the user's own, where ``fix`` says it of a model."""
    return _IN_STEP.get(fix, fix)


def look_up(word: str) -> CodeEntry:
    """Return the entry of a code or a kind, in any case and with any of ``_- `` between the kind's
    words.

    Raises:
        UsageError: there is none; the hint tells the nearest one.
    """
    plain = re.sub(r"[\s_-]", "", word).lower()
    if plain in _BY_WORD:
        return _BY_WORD[plain]
    near = [_BY_WORD[close] for close in closest(plain, _BY_WORD)]
    meant = series(word) or "".join(f"{item.code} {item.kind}" for item in near)
    suggestion = f"did you mean {meant}? " if meant else ""
    raise UsageError(f"no code {word!r}", f"{suggestion}gradflow rules lists them all")


def series(word: str) -> str:
    """Return the first and the last code that ``word`` may stand for, ``GF201 to GF209`` for
    ``GF20x``; empty where it is not the beginning of several codes."""
    match = _BEGINNING.fullmatch(word.strip())
    codes = [code for code in CATALOGUE if match and code.startswith(match["beginning"].upper())]
    return f"{codes[0]} to {codes[-1]}" if len(codes) > 1 else ""
