"""Evidence or an error in, a model's report out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradflow.diagnose import Evidence, diagnose, find, route, summarize
from gradflow.errors import GradflowError
from gradflow.findings import Failure, Format, Input, Mode, ModelReport, Output, Route, Status

Progress = Callable[[str], None]
"""Called with each stage of an analysis as it begins."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A model's report, and the answer to what was asked about one of its variables."""

    report: ModelReport
    route: Route | None = None


def analyzed(
    path: str,
    format: Format,
    producer: str | None,
    entry: str | None,
    mode: Mode,
    evidence: Evidence,
    inputs: tuple[Input, ...],
    outputs: tuple[Output, ...],
    why: str | None = None,
) -> Analysis:
    """The report of a model that was analysed; ``why`` is the variable to follow.

    Raises:
        UsageError: ``why`` names no variable, or several.
    """
    variables, findings = diagnose(evidence)
    asked = None if why is None else find(why, [variable.name for variable in variables])
    report = ModelReport(
        path=path,
        format=format,
        producer=producer,
        entry=entry,
        mode=mode,
        status=Status.ANALYZED,
        error=None,
        inputs=inputs,
        outputs=outputs,
        variables=variables,
        findings=findings,
        expectations=(),
        summary=summarize(variables),
    )
    return Analysis(report, None if asked is None else route(evidence, variables, findings, asked, outputs))


def failed(path: str, error: GradflowError, mode: Mode, format: Format | None = None) -> ModelReport:
    """The report of a model that could not be checked."""
    return ModelReport(
        path=path,
        format=format,
        producer=None,
        entry=None,
        mode=mode,
        status=Status.FAILED,
        error=Failure(error.code, error.message.removeprefix(f"{path}: "), error.hint),
        inputs=(),
        outputs=(),
        variables=(),
        findings=(),
        expectations=(),
        summary=summarize(()),
    )


def analyzed_nothing(path: str, format: Format, looked_at: tuple[str, ...]) -> ModelReport:
    """The report of a model that was looked through, and not analysed."""
    return ModelReport(
        path=path,
        format=format,
        producer=None,
        entry=None,
        mode=Mode.STATIC,
        status=Status.ANALYZED,
        error=None,
        inputs=(),
        outputs=(),
        variables=(),
        findings=(),
        expectations=(),
        summary=summarize(()),
        looked_at=looked_at,
    )
