"""What a scan has found in, the same by what it is out."""

from __future__ import annotations

from dataclasses import dataclass

from gradflow.findings import Finding, ModelReport, Severity

_UNSAFE = "GF902"


@dataclass(frozen=True, slots=True)
class Danger:
    """One thing that could do harm, with every place where the file has it."""

    what: str
    """``op WriteFile: writes files``, or ``op WriteFile (node 'a' of the graph): writes files`` if
    that is all."""
    hint: str
    places: tuple[str, ...]
    """Empty where ``what`` names the only one."""


def dangers(model: ModelReport) -> list[Danger]:
    """What kept ``model`` from being loaded, in the order in which it was found."""
    found: dict[tuple[str, str], list[Finding]] = {}
    for finding in model.findings:
        if is_danger(finding):
            found.setdefault((finding.threat or finding.message, finding.hint), []).append(finding)
    return [
        Danger(what, hint, tuple(one.location for one in those))
        if those[1:]
        else Danger(those[0].message, hint, ())
        for (what, hint), those in found.items()
    ]


def is_danger(finding: Finding) -> bool:
    """Whether ``finding`` is one of a model that was refused."""
    return finding.code == _UNSAFE and finding.severity is Severity.ERROR


def is_itemized(model: ModelReport) -> bool:
    """Whether its findings say all that its error does: to show both would be to say it twice."""
    return (
        model.error is not None
        and model.error.code == _UNSAFE
        and any(map(is_danger, model.findings))
    )
