"""Report the weights that a training step does not train as it should, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gradflow.analysis.step_calls import Step
from gradflow.catalogue import CodeEntry, entry
from gradflow.diagnose import Evidence, diagnose
from gradflow.files.freezing import Doubt, FreezeDoubt
from gradflow.findings import (
    Cause,
    Confidence,
    Finding,
    Role,
    Severity,
    Variable,
    Verdict,
)
from gradflow.tape.watching.variables import Weight

_NOT_ASKED = "no gradient call of the step names {who}, so that no optimizer can update {them}"
_NO_CALLS = "the step computes no gradient, so that no optimizer can update {who}"
_ASSIGNED = "no gradient call of the step names {who}: an assignment changes {them}"
_NOT_APPLIED = "a gradient arrived at {who}, and no optimizer got it"
_HANDS_OVER = "the optimizer was given {what} for {who}, where a gradient arrived"
_TRACED_BEFORE = (
    "the step was traced before {who} became trainable: no gradient call in it names {them}"
)
_COMPILE_AGAIN = "compile the model again after trainable is set, or call tf.function anew"
_DRAWN_ANEW = (
    "the step did not change {who}: with other random numbers, a gradient arrives at {them}"
)
_NOT_CHANGED = "a gradient arrived at {who}, an optimizer got it and did not change {them}"


def unasked(
    step: Step, variables: Sequence[Variable], findings: Sequence[Finding]
) -> tuple[list[Variable], list[Finding]]:
    """Say of weights that no gradient call named that this is so, unless they are frozen."""
    cause = entry("GF502").cause()
    result: list[Variable] = []
    lost: dict[bool, list[str]] = {False: [], True: []}
    hidden: set[str] = set()
    assigned = {variable.name for variable in variables if step.moved.get(variable.name)}
    for variable in variables:
        if not variable.trainable or variable.role is Role.STATE:
            result.append(variable)
            continue
        if step.record.hides_calls:
            unknown = replace(variable, verdict=Verdict.UNKNOWN, causes=(), cuts_to_restore=None)
            result.append(unknown)
            hidden.add(variable.name)
            continue
        is_known = variable.verdict is not Verdict.UNKNOWN and variable.name not in assigned
        behind = variable.causes if is_known else ()
        lost[variable.name in assigned].append(variable.name)
        result.append(
            replace(
                variable,
                verdict=Verdict.NONE,
                confidence=Confidence.MEASURED,
                causes=(cause, *behind),
            )
        )
    more = [
        finding if finding.code == "GF101" else replace(finding, variables=left)
        for finding in findings
        if (left := tuple(name for name in finding.variables if name not in assigned | hidden))
        or finding.code == "GF101"
    ]
    if lost[False]:
        words = _NOT_ASKED if step.record.calls else _NO_CALLS
        more.append(_finding(entry("GF502"), words, lost[False], cause))
    if lost[True]:
        note = Severity.NOTE
        more.append(_finding(entry("GF502"), _ASSIGNED, lost[True], cause, severity=note))
    return result, more


def applied(step: Step, variables: Mapping[str, Variable]) -> Iterator[Finding]:
    """Report weights that a gradient arrived at and that did not change."""
    lost: dict[tuple[str, Severity], list[str]] = {}
    item = entry("GF503")
    for weight in step.weights:
        name = weight.stored.name
        variable = variables[name]
        if not variable.trainable or variable.verdict is not Verdict.FLOWS or step.moved[name]:
            continue
        words = _fate(step, weight, item)
        if words is not None:
            lost.setdefault(words, []).append(name)
    for (message, severity), names in lost.items():
        yield _finding(item, message, names, item.cause(), severity=severity)


def _fate(step: Step, weight: Weight, item: CodeEntry) -> tuple[str, Severity] | None:
    """Return what became of the gradient of a weight that did not change; None where it may
    have."""
    applications = step.given(weight)
    if not applications:
        handles = set(weight.handles)
        if step.moved[weight.stored.name] is None and (handles & step.record.written.keys()):
            return None
        return _NOT_APPLIED, item.severity
    given = [
        measurement
        for application in applications
        for handle in weight.handles
        for measurement in application.given.get(handle, ())
    ]
    verdicts = {measurement.verdict for measurement in given}
    if verdicts and verdicts <= {Verdict.ZERO, Verdict.NONE}:
        what = "only zeros" if Verdict.ZERO in verdicts else "None"
        return _HANDS_OVER.replace("{what}", what), item.severity
    if step.moved[weight.stored.name] is None:
        return None
    if any(application.accumulates for application in applications):
        words = f"{_NOT_CHANGED}: it adds up the gradients of several steps first"
        return words, Severity.NOTE
    if step.record.draws_anew:
        return _DRAWN_ANEW, Severity.NOTE
    return _NOT_CHANGED, Severity.WARNING


def still_trained(step: Step, variables: Mapping[str, Variable]) -> Iterator[Finding]:
    """Report frozen weights that the step trains."""
    called, traced = step.record.trained_by_call, step.record.trained_by_trace or set()
    names = []
    for weight in step.weights:
        variable, handles = variables[weight.stored.name], set(weight.handles)
        is_old = bool(handles & called and not handles & traced)
        is_given = bool(step.given(weight)) and bool(step.moved[variable.name])
        if variable.role is Role.WEIGHT and not variable.trainable and (is_old or is_given):
            names.append(variable.name)
    if names:
        doubt = FreezeDoubt(Doubt.STILL_TRAINED, tuple(names))
        stored = tuple(weight.stored for weight in step.weights)
        _, findings = diagnose(Evidence(variables=stored, doubts=(doubt,)))
        yield from (finding for finding in findings if finding.code == "GF102")


def not_yet_trained(step: Step, variables: dict[str, Variable]) -> Iterator[Finding]:
    """Report weights that a trace made before they were unfrozen does not train, and that one made
    now would."""
    record = step.record
    asked = [set(call.asked) for call in record.calls if call.graph is not None]
    cause = entry("GF502").cause()
    names = []
    for weight in step.weights:
        variable, handles = variables[weight.stored.name], set(weight.handles)
        if not variable.trainable or handles & record.trained_by_call:
            continue
        if record.trained_by_trace is None:
            # The trace failed, as an optimizer refuses a weight that it was not built with.
            is_late = any(handles & names and names & record.trained_by_call for names in asked)
        else:
            is_late = bool(handles & record.trained_by_trace)
        if is_late:
            names.append(variable.name)
            variables[variable.name] = replace(
                variable, verdict=Verdict.NONE, causes=(cause,), cuts_to_restore=None, path=()
            )
    if names:
        yield _finding(entry("GF502"), _TRACED_BEFORE, names, cause, hint=_COMPILE_AGAIN)


def _finding(
    item: CodeEntry,
    message: str,
    names: Sequence[str],
    cause: Cause,
    *,
    severity: Severity | None = None,
    hint: str | None = None,
) -> Finding:
    is_one = len(names) == 1
    words = message.format(
        who=names[0] if is_one else f"{len(names):,} weights", them="it" if is_one else "them"
    )
    return item.finding(words, names, cause, severity=severity, hint=hint)
