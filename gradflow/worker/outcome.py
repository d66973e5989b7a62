"""Evidence or an error in, a model's report out."""

from __future__ import annotations

from collections.abc import Callable

from gradflow.diagnose import Evidence, diagnose, summarize
from gradflow.errors import GradflowError
from gradflow.findings import Failure, Format, Input, Mode, ModelReport, Output, Status

Progress = Callable[[str], None]
"""Called with each stage of an analysis as it begins."""


def analyzed(
    path: str,
    format: Format,
    producer: str | None,
    entry: str | None,
    mode: Mode,
    evidence: Evidence,
    inputs: tuple[Input, ...],
    outputs: tuple[Output, ...],
) -> ModelReport:
    """The report of a model that was analysed."""
    variables, findings = diagnose(evidence)
    return ModelReport(
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
