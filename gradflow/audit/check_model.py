"""Analyse one planned model and judge it by what is expected of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from gradflow.analysis.result import failed
from gradflow.config import ModelPlan
from gradflow.errors import UsageError
from gradflow.findings import Finding, ModelReport, Role, Status, Tool, Variable, Verdict
from gradflow.installed import has_tensorflow, install_command
from gradflow.lazy_dataclass import dataclass
from gradflow.options import Options
from gradflow.policy import Snapshot, accept, is_about_gradients, is_broken, judge, selected
from gradflow.process.parent import Outcome, inspect_path
from gradflow.progress import Progress


@dataclass(frozen=True, slots=True)
class Checked:
    """A model that was analysed and judged."""

    plan: ModelPlan
    model: ModelReport
    tool: Tool
    remark: str
    """Something that the user should know about how the report came about."""

    @property
    def is_broken(self) -> bool:
        """Whether an expectation is not kept, or a finding is at least as severe as ``fail_on``."""
        return is_broken(self.model, self.plan.fail_on)


Inspect = Callable[[str, Options, Progress], Outcome]
"""Analyses the model at a path."""


def check_model(
    plan: ModelPlan,
    today: date,
    baseline: Snapshot | None = None,
    progress: Progress = lambda _: None,
    inspect: Inspect = inspect_path,
) -> Checked:
    """Analyse a model with ``inspect`` and judge it; ``baseline`` is the state of it that is
    accepted.

    Where a gradient is expected and unknown, the model counts as one that could not be checked,
    never as kept.
    """
    outcome = inspect(plan.path, plan.options, progress)
    model = _without_unknowns(plan, outcome.model)
    model = replace(
        selected(judge(model, plan.expectations, today), plan.select), name=plan.name or ""
    )
    if baseline is not None:
        model = accept(model, baseline)
    return Checked(plan, model, outcome.tool, outcome.remark)


def _remedy(plan: ModelPlan) -> str:
    """Say how to learn the gradients of a model that was read without TensorFlow."""
    if plan.options.static or has_tensorflow():
        return "leave --static out"
    return install_command("tf")


def _asks_flags_alone(plan: ModelPlan) -> bool:
    """Return whether the user wants the freeze flags of a file judged and nothing else.

    No expectation says so: only ``static`` with selected codes, none of them about gradients.
    """
    return (
        plan.options.static
        and bool(plan.select)
        and not any(is_about_gradients(code) for code in plan.select)
        and not plan.expectations.needs_gradients
    )


def _without_flags(plan: ModelPlan, model: ModelReport, unsaid: Sequence[Variable]) -> ModelReport:
    """Return a failure: the file does not say whether the weights ``unsaid`` are frozen."""
    more = f" and {len(unsaid) - 1:,} more" if unsaid[1:] else ""
    # What nobody knows about a layer is told with its class.
    classes = sorted(
        {
            cause.op_type
            for weight in unsaid
            for cause in weight.causes
            if cause.op_type and cause.layer == weight.layer
        }
    )
    names = ", ".join(map(repr, classes[:3])) + (", ..." if classes[3:] else "")
    reason = _why_not_run(model)
    error = UsageError(
        f"{plan.path}: read without TensorFlow, which does not tell whether {unsaid[0].name}{more} "
        f"{'are' if unsaid[1:] else 'is'} frozen: a class that is not Keras's own decides that"
        + (f" ({names})" if names else "")
        + (f"; {reason.message}" if reason else ""),
        reason.hint
        if reason
        else "run it without --static, with --import MODULE, the module that defines the class",
    )
    return failed(plan.path, error, model.mode, model.format)


def _without_unknowns(plan: ModelPlan, model: ModelReport) -> ModelReport:
    """Return ``model``, or a failure where gradients are expected and a static reading does not
    know them."""
    if model.status is Status.FAILED:
        return model
    unsaid = [variable for variable in model.variables if variable.has_open_flag]
    if unsaid:
        return _without_flags(plan, model, unsaid)
    if _asks_flags_alone(plan):
        return model
    weights = [
        variable
        for variable in model.variables
        if variable.role is Role.WEIGHT and variable.trainable
    ]
    unknown = [weight.name for weight in weights if weight.verdict is Verdict.UNKNOWN]
    if not unknown:
        return model
    gradients = f"the gradient of {unknown[0]}" + (
        f" and {len(unknown) - 1:,} more" if unknown[1:] else ""
    )
    reason = _why_not_run(model)
    error = UsageError(
        f"{plan.path}: read without TensorFlow, {gradients} is unknown, and it is expected to flow"
        + (f": {reason.message}" if reason else ""),
        reason.hint if reason else _remedy(plan),
    )
    return failed(plan.path, error, model.mode, model.format)


def _why_not_run(model: ModelReport) -> Finding | None:
    """Return the finding that says what kept TensorFlow from a model, where the user did not."""
    return next((finding for finding in model.findings if finding.code == "GF901"), None)
