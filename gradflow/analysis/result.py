"""What a child process answers about a model that was not analysed; the parent does without what an
analysis takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gradflow.errors import GradflowError
from gradflow.findings import (
    EntryList,
    Failure,
    Format,
    Mode,
    ModelReport,
    Report,
    Route,
    Status,
    Summary,
    Tool,
)
from gradflow.version import VERSION

NO_TENSORFLOW = Tool("gradflow", VERSION, None, None)
"""The versions behind what was found out without TensorFlow."""
_NOTHING = Summary(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
Progress = Callable[[str], None]
"""Called with each stage of an analysis as it begins."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A model's report, and the answer to what was asked about one of its variables."""

    report: ModelReport
    route: Route | None = None


def failed(
    path: str, error: GradflowError, mode: Mode, format: Format | None = None
) -> ModelReport:
    """The report of a model that could not be checked."""
    return _empty(path, format, mode, Status.FAILED, failure_of(path, error))


def analyzed_nothing(path: str, format: Format, looked_at: tuple[str, ...]) -> ModelReport:
    """The report of a model that was looked through, and not analysed."""
    return replace(_empty(path, format, Mode.STATIC, Status.ANALYZED, None), looked_at=looked_at)


def unlisted(path: str, error: GradflowError) -> EntryList:
    """The list of entries of a model that could not be read."""
    return EntryList(path, None, None, 0, (), failure_of(path, error))


def failure_of(path: str, error: GradflowError) -> Failure:
    """``error`` as a report has it, which names the model by itself."""
    return Failure(error.code, error.message.removeprefix(f"{path}: "), error.hint)


def report_of(parts: Sequence[tuple[Tool, ModelReport]]) -> Report:
    """The reports of models as one; the versions are those of the first of them that TensorFlow has
    run."""
    tools = [tool for tool, _ in parts if tool.tensorflow]
    return Report(tools[0] if tools else NO_TENSORFLOW, tuple(model for _, model in parts))


def _empty(
    path: str, format: Format | None, mode: Mode, status: Status, error: Failure | None
) -> ModelReport:
    return ModelReport(
        path=path,
        format=format,
        producer=None,
        entry=None,
        mode=mode,
        status=status,
        error=error,
        inputs=(),
        outputs=(),
        variables=(),
        findings=(),
        expectations=(),
        summary=_NOTHING,
    )
