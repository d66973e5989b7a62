"""Say how many findings are accepted, and by which line of which file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradflow.findings import Acceptance, Finding, ModelReport
from gradflow.lazy_dataclass import dataclass
from gradflow.report.words import counted
from gradflow.text import shown

_NAMED = 3
"""Lines of files that one sentence names."""


@dataclass(frozen=True, slots=True)
class AcceptedGroup:
    """The findings that one rule accepts."""

    acceptance: Acceptance
    findings: tuple[Finding, ...]


def groups_of(models: Iterable[ModelReport]) -> list[AcceptedGroup]:
    """Return the accepted findings by who accepts them, in the order of the findings."""
    groups: dict[Acceptance, list[Finding]] = {}
    for model in models:
        for finding in model.accepted_findings:
            if finding.accepted is not None:
                groups.setdefault(finding.accepted, []).append(finding)
    return [AcceptedGroup(acceptance, tuple(members)) for acceptance, members in groups.items()]


def accepted_count(models: Sequence[ModelReport]) -> str:
    """``3 findings accepted (gradflow.yaml:12, baseline.json)``; empty where there is none."""
    total = number_accepted(models)
    if not total:
        return ""
    names = list(dict.fromkeys(name_of(group.acceptance) for group in groups_of(models)))
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{counted(total, 'finding')} accepted ({', '.join(names[:_NAMED])}{more})"


def number_accepted(models: Sequence[ModelReport]) -> int:
    """Count the accepted findings; one that several rules accept, each a part of it, is one."""
    return len(
        {
            (index, finding.code, finding.message)
            for index, model in enumerate(models)
            for finding in model.accepted_findings
        }
    )


def name_of(acceptance: Acceptance) -> str:
    """``gradflow.yaml:12``, ``baseline.json``, ``--ignore GF202``."""
    name = acceptance.reason if acceptance.by == "ignore" else acceptance.by
    return shown(name or acceptance.by)


def words_of(acceptance: Acceptance) -> str:
    """``gradflow.yaml:12: unused head``."""
    reason = f": {shown(acceptance.reason)}" if acceptance.reason else ""
    return name_of(acceptance) + (reason if acceptance.by != "ignore" else "")
