"""What a child process answers about a model that was not analysed; the parent does without what an analysis takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradflow.errors import GradflowError
from gradflow.findings import Failure, Format, Mode, ModelReport, Route, Status, Summary

_NOTHING = Summary(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
Progress = Callable[[str], None]
"""Called with each stage of an analysis as it begins."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A model's report, and the answer to what was asked about one of its variables."""

    report: ModelReport
    route: Route | None = None


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
        summary=_NOTHING,
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
        summary=_NOTHING,
        looked_at=looked_at,
    )
