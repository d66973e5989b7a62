"""Choose by their codes which findings of a report count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gradflow.catalogue import Family, look_up
from gradflow.findings import Acceptance, Finding, ModelReport

FAMILIES = tuple(family.value for family in Family)
"""Beginnings of codes that stand for all of them, as in ruff: ``GF2`` for GF201 to GF211."""


def chosen(words: Iterable[str]) -> tuple[str, ...]:
    """Turn codes, kinds and ``FAMILIES``, in any case, into codes or beginnings of codes.

    Raises:
        UsageError: there is no such code; the hint tells the nearest one.
    """
    return tuple(word.upper() if word.upper() in FAMILIES else look_up(word).code for word in words)


def selected(model: ModelReport, select: Sequence[str], ignore: Sequence[str] = ()) -> ModelReport:
    """Leave only the findings of the codes ``select`` (empty for all); mark those of ``ignore`` as
    accepted by the option."""
    return replace(
        model,
        findings=tuple(
            _marked(finding, ignore)
            for finding in model.findings
            if not select or finding.code.startswith(tuple(select))
        ),
    )


def _marked(finding: Finding, ignore: Sequence[str]) -> Finding:
    code = next((code for code in ignore if finding.code.startswith(code)), None)
    if code is None or finding.accepted is not None:
        return finding
    return replace(finding, accepted=Acceptance("ignore", f"--ignore {code}"))
