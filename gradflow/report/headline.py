"""Say what is known of a model, or of a whole report, in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from gradflow.catalogue import CATALOGUE
from gradflow.findings import (
    Failure,
    Finding,
    Format,
    Mode,
    ModelReport,
    Report,
    Role,
    Severity,
    Status,
    Verdict,
)
from gradflow.report.accepted import accepted_count
from gradflow.report.model_parts import UNTRACKED, frozen, untracked
from gradflow.report.words import counted
from gradflow.text import shown

_TROUBLE = (Verdict.NONE, Verdict.ZERO, Verdict.NONFINITE)


def headline(model: ModelReport) -> str:
    """Return the first line: ``model.keras: 3 of 214 weights get no gradient, 2 causes``."""
    return f"{title(model)}: {statement(model)}"


def title(model: ModelReport, markup: Callable[[str], str] = shown) -> str:
    """Return the path, after the name if the configuration gives the model one."""
    return f"{markup(model.name)} ({markup(model.path)})" if model.name else markup(model.path)


def statement(model: ModelReport) -> str:
    """Return ``headline`` without the path."""
    if model.status is Status.FAILED:
        return _refusal(model.error)
    if model.looked_at:
        return f"nothing in it could do harm ({', '.join(model.looked_at)})"
    findings = model.open_findings
    troubled = _troubled(model)
    causes = len(places_of(finding for finding in findings if _explains(finding, troubled)))
    parts = [_verdicts(model)]
    if causes:
        parts.append(counted(causes, "cause"))
    summary = model.summary
    still, loose = len(frozen(model)), len(untracked(model))
    if 0 < still < summary.weights:
        parts.append(f"{still:,} frozen")
    if loose:
        parts.append(f"{loose:,} untracked")
    rest = [f for f in findings if f.code != UNTRACKED and not _explains(f, troubled)]
    for severity in (Severity.ERROR, Severity.WARNING):
        number = sum(finding.severity is severity for finding in rest)
        if number:
            parts.append(counted(number, severity.value))
    if accepted := accepted_count([model]):
        parts.append(accepted)
    text = ", ".join(parts)
    if summary.unknown and summary.unknown == summary.weights - summary.frozen:
        text += f", verdicts unknown: {why_unknown(model)}"
    return text


def _refusal(failure: Failure | None) -> str:
    """Say cause and remedy in one line, which is never folded: scripts and logs show it."""
    if failure is None:
        return "could not be checked"
    remedy = f"; {shown(failure.hint)}" if failure.hint else ""
    return f"could not be checked ({shown(failure.code)}): {shown(failure.message)}{remedy}"


def summary_line(report: Report) -> str:
    """Return the run in one line: the headline of its only model, or the number of models of each
    standing."""
    if len(report.models) == 1:
        return headline(report.models[0])
    standings = [standing(model) for model in report.models]
    parts = [f"{standings.count(word):,} {word}" for word in STANDINGS if word in standings]
    return f"{counted(len(standings), 'model')}: {', '.join(parts)}" if parts else "no models"


STANDINGS = ("could not be checked", "with findings", "unknown", "with accepted findings", "fine")
"""From the worst to the best."""


def standing(model: ModelReport) -> str:
    """Return which of ``STANDINGS`` a model has."""
    if model.status is Status.FAILED:
        return "could not be checked"
    if (
        _has_open_trouble(model)
        or any(finding.severity is not Severity.NOTE for finding in model.open_findings)
        or any(not expectation.is_kept for expectation in model.expectations)
    ):
        return "with findings"
    if model.summary.unknown:
        return "unknown"
    return "with accepted findings" if model.accepted_findings else "fine"


def _has_open_trouble(model: ModelReport) -> bool:
    """Return whether a weight gets no useful gradient, and nobody has accepted that."""
    summary = model.summary
    if not (summary.none or summary.zero or summary.nonfinite):
        return False
    accepted = {name for finding in model.accepted_findings for name in finding.variables}
    return not accepted or bool(_troubled(model) - accepted)


def _verdicts(model: ModelReport) -> str:
    summary = model.summary
    live = summary.weights - summary.frozen
    noun = "trainable weight" if summary.frozen else "weight"
    if not summary.weights:
        frozen = next(
            (
                finding.message
                for finding in model.findings
                if finding.code == "GF101" and not finding.variables
            ),
            "",
        )
        return f"no weights: {frozen}" if frozen else "no weights, nothing to train"
    if not live and untracked(model):
        return "no weight is trained"
    if not live:
        return (
            f"all {summary.weights:,} weights are frozen"
            if summary.weights > 1
            else "the only weight is frozen"
        )
    if summary.unknown == live:
        return counted(live, noun)
    troubles = [
        (number, words)
        for number, words in (
            (summary.none, "no gradient"),
            (summary.zero, "only zeros"),
            (summary.nonfinite, "NaN or Inf"),
            (summary.unknown, "an unknown verdict"),
        )
        if number
    ]
    if not troubles:
        return (
            f"all {live:,} {noun}s receive a gradient"
            if live > 1
            else f"the only {noun} receives a gradient"
        )
    (number, words), *rest = troubles
    verb = "gets" if number == 1 else "get"
    return ", ".join(
        [
            f"{number:,} of {counted(live, noun)} {verb} {words}",
            *(f"{n:,} {words}" for n, words in rest),
        ]
    )


def why_unknown(model: ModelReport) -> str:
    """Say why the verdict of a weight is unknown, and what to do about that."""
    if model.mode is Mode.TAPE:
        return "the tape step gave no answer"
    if any(finding.code == "GF901" for finding in model.findings):
        return "it was not run"
    source = "the graph" if model.format is Format.SAVED_MODEL else "the file"
    return f"{source} alone cannot tell; measure it with TensorFlow"


def _explains(finding: Finding, troubled: AbstractSet[str]) -> bool:
    item = CATALOGUE.get(finding.code)
    is_reason = item is not None and item.explains_verdict
    return is_reason and not troubled.isdisjoint(finding.variables)


def places_of(findings: Iterable[Finding]) -> AbstractSet[object]:
    """Return where ``findings`` stand, each place once: two can be about one op, for weights of
    which more is known."""
    return {
        (finding.code, finding.cause.op)
        if finding.cause is not None and finding.cause.op is not None
        else (finding.code, finding.message, finding.variables)
        for finding in findings
    }


def _troubled(model: ModelReport) -> AbstractSet[str]:
    """Return the names of the weights that should learn and get no useful gradient."""
    return {
        variable.name
        for variable in model.variables
        if variable.verdict in _TROUBLE and variable.trainable and variable.role is Role.WEIGHT
    }
