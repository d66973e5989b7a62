"""Leave in a report only the findings of the codes that count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gradflow.catalogue import Family, look_up
from gradflow.findings import ModelReport

FAMILIES = tuple(family.value for family in Family)
"""Beginnings of codes that stand for all of them, as in ruff: ``GF2`` for GF201 to GF210."""


def chosen(words: Iterable[str]) -> tuple[str, ...]:
    """Turn codes, kinds and ``FAMILIES``, in any case, into codes or beginnings of codes.

    Raises:
        UsageError: there is no such code; the hint tells the nearest one.
    """
    return tuple(word.upper() if word.upper() in FAMILIES else look_up(word).code for word in words)


def selected(model: ModelReport, select: Sequence[str], ignore: Sequence[str] = ()) -> ModelReport:
    """Leave only the findings of the codes ``select`` (empty for all), without those of
    ``ignore``."""
    findings = (
        finding
        for finding in model.findings
        if (not select or finding.code.startswith(tuple(select)))
        and not finding.code.startswith(tuple(ignore))
    )
    return replace(model, findings=tuple(findings))
