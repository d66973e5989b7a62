"""Make the report of a model: one that was analysed, that failed, or that was only looked through.

The process that answers the user imports this, and not what an analysis takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from gradflow.errors import GradflowError
from gradflow.findings import (
    EntryList,
    Failure,
    FlowMap,
    Followed,
    Format,
    Input,
    Mode,
    ModelReport,
    Output,
    Report,
    Route,
    Status,
    Summary,
    Tool,
    summarize,
)
from gradflow.findings.wire_names import LOCAL
from gradflow.lazy_dataclass import dataclass
from gradflow.version import VERSION

if TYPE_CHECKING:
    from gradflow.diagnose import Evidence
    from gradflow.findings import Variable

NO_TENSORFLOW = Tool("gradflow", VERSION, None, None)
"""The versions behind what was found out without TensorFlow."""
_NOTHING = Summary(
    weights=0,
    flows=0,
    none=0,
    zero=0,
    nonfinite=0,
    unknown=0,
    frozen=0,
    state=0,
    parameters=0,
    trainable_parameters=0,
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """A model's report, and the answer to what was asked about one of its variables."""

    report: ModelReport
    route: Route | None = None
    followed: tuple[Followed, ...] = ()
    """The answers that are ready where one of these variables is asked for next."""
    draw: Callable[[], FlowMap | None] = field(default=lambda: None, compare=False, metadata=LOCAL)
    """Draws the map, as long as the model is there."""
    ask: Callable[[str], Route] | None = field(default=None, compare=False, metadata=LOCAL)
    """Follows one of its weights to the output, and tries no repair."""


def analyzed(
    path: str,
    format: Format,
    mode: Mode,
    evidence: Evidence,
    *,
    producer: str | None,
    entry: str | None = None,
    inputs: tuple[Input, ...] = (),
    outputs: tuple[Output, ...] = (),
    why: str | None = None,
    objective: str = "outputs",
    unused_loss: str = "",
    drawn: Evidence | None = None,
) -> Analysis:
    """Return the report of a model that was analysed; ``why`` is the variable to follow, ``drawn``
    what the map is drawn of, None where nobody asks for one.

    ``objective`` is what was differentiated, ``unused_loss`` why that is not the compiled loss.

    Raises:
        UsageError: ``why`` names no variable, or several.
    """
    from gradflow.diagnose import diagnose, find, route  # takes a while

    variables, findings = diagnose(evidence)
    asked = None if why is None else find(why, [variable.name for variable in variables])
    report = ModelReport(
        path=path,
        format=format,
        producer=producer,
        entry=entry,
        objective=objective,
        unused_loss=unused_loss,
        mode=mode,
        status=Status.ANALYZED,
        error=None,
        inputs=inputs,
        outputs=outputs,
        variables=variables,
        findings=findings,
        expectations=(),
        summary=summarize(variables),
        limits=(evidence.thresholds.vanishing, evidence.thresholds.exploding),
        map=None if drawn is None else _map(drawn, variables, inputs),
    )

    def ask(name: str) -> Route:
        return route(evidence, variables, findings, name)

    return Analysis(report, None if asked is None else ask(asked), ask=ask)


def _map(drawn: Evidence, variables: Sequence[Variable], inputs: Sequence[Input]) -> FlowMap:
    from gradflow.diagnose.flow_map import draw_map  # seldom needed

    return draw_map(drawn, variables, inputs)


def with_reason(analysis: Analysis, reason: str, hint: str) -> Analysis:
    """Return the analysis, with a finding that says why the model was not run."""
    from gradflow.diagnose import describe_unloaded  # takes a while

    findings = (describe_unloaded(reason, hint), *analysis.report.findings)
    return replace(analysis, report=replace(analysis.report, findings=findings))


def failed(
    path: str, error: GradflowError, mode: Mode, format: Format | None = None
) -> ModelReport:
    """Return the report of a model that could not be checked."""
    return _empty(path, format, mode, error=failure_of(path, error))


def analyzed_nothing(path: str, format: Format, looked_at: tuple[str, ...]) -> ModelReport:
    """Return the report of a model that was looked through, and not analysed."""
    return replace(_empty(path, format, Mode.STATIC), looked_at=looked_at)


def unlisted(path: str, error: GradflowError) -> EntryList:
    """Return the list of entries of a model that could not be read."""
    return EntryList(
        path=path,
        format=None,
        producer=None,
        weights=0,
        entries=(),
        error=failure_of(path, error),
    )


def failure_of(path: str, error: GradflowError) -> Failure:
    """``error`` as a report has it, which names the model by itself."""
    return Failure(error.code, error.message.removeprefix(f"{path}: "), error.hint)


def report_of(parts: Sequence[tuple[Tool, ModelReport]]) -> Report:
    """Return the reports of models as one; the versions are those of the first of them that
    TensorFlow has run."""
    tools = [tool for tool, _ in parts if tool.tensorflow]
    return Report(tools[0] if tools else NO_TENSORFLOW, tuple(model for _, model in parts))


def _empty(
    path: str, format: Format | None, mode: Mode, error: Failure | None = None
) -> ModelReport:
    return ModelReport(
        path=path,
        format=format,
        producer=None,
        entry=None,
        mode=mode,
        status=Status.ANALYZED if error is None else Status.FAILED,
        error=error,
        inputs=(),
        outputs=(),
        variables=(),
        findings=(),
        expectations=(),
        summary=_NOTHING,
    )
