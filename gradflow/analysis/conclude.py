"""Evidence in, a model's report out."""

from __future__ import annotations

from gradflow.analysis.result import Analysis
from gradflow.diagnose import Evidence, diagnose, find, route, summarize
from gradflow.findings import Format, Input, Mode, ModelReport, Output, Status


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
    return Analysis(
        report, None if asked is None else route(evidence, variables, findings, asked, outputs)
    )
