"""Pick the parts of a model that reports show together: findings, frozen weights, dangers."""

from __future__ import annotations

from collections.abc import Mapping

from gradflow.findings import Finding, ModelReport, Role, Severity, Variable
from gradflow.lazy_dataclass import dataclass
from gradflow.text import shown

FROZEN = "GF101"
UNTRACKED = "GF103"
UNEXPECTED_FROZEN = "GF401"
_UNEXPECTED_TRAINABLE = "GF402"
_UNSAFE = "GF902"
ONLY_READ = "read without TensorFlow (static)"
_OUTPUTS = "outputs"
"""The objective where no loss is one."""


@dataclass(frozen=True, slots=True)
class Danger:
    """One thing that could do harm, with every place where the file has it."""

    description: str
    """``op WriteFile: writes files``, or ``op WriteFile (node 'a' of the graph): writes files``
    where the file has it once."""
    hint: str
    locations: tuple[str, ...]
    """Empty where ``description`` names the only one."""


def objective_line(model: ModelReport) -> str:
    """Say what was differentiated where a compiled loss was, or would have been; else nothing."""
    objective = shown(model.objective or _OUTPUTS)
    if model.unused_loss:
        return f"{objective}; the compiled loss is not used: {shown(model.unused_loss)}"
    return "" if objective == _OUTPUTS else objective


def by_severity(model: ModelReport) -> list[Finding]:
    """Return the findings of a model that count, the worst first; what is frozen against an
    expectation comes after what is wrong with gradients, and notes come last."""

    def rank(finding: Finding) -> tuple[bool, bool, int]:
        is_note = finding.severity is Severity.NOTE
        is_frozen = finding.code == UNEXPECTED_FROZEN and not is_note
        return is_note, is_frozen, list(Severity).index(finding.severity)

    return sorted(model.open_findings, key=rank)


def by_name(model: ModelReport) -> dict[str, Variable]:
    """Return the variables of a model by name."""
    return {variable.name: variable for variable in model.variables}


def behind(finding: Finding, variables: Mapping[str, Variable]) -> list[Variable]:
    """Return the ``variables``, given by name, that a finding is about."""
    return [variables[name] for name in finding.variables if name in variables]


def untracked(model: ModelReport) -> frozenset[str]:
    """Return the names of the weights that no layer tracks."""
    return frozenset(
        name
        for finding in model.findings
        if finding.code == UNTRACKED
        for name in finding.variables
    )


def end_of(model: ModelReport, output: str | None) -> str:
    """Return in words where the way of a weight ends: at the output called ``output``, or wherever
    the objective of the model says where nobody knows that."""
    if output is not None:
        return f"output {shown(output)}"
    if (model.objective or _OUTPUTS) != _OUTPUTS:
        return "loss"
    return f"output {shown(model.outputs[0].name)}" if len(model.outputs) == 1 else "output"


def end_of_way(model: ModelReport, finding: Finding) -> str:
    """Return in words where the way that a finding draws ends."""
    return end_of(model, finding.way.output if finding.way is not None else None)


def frozen(model: ModelReport) -> list[Variable]:
    """Return the weights that are not trained because something froze them."""
    without_layer = untracked(model)
    return [
        variable
        for variable in model.variables
        if variable.role is Role.WEIGHT
        and not variable.trainable
        and variable.name not in without_layer
    ]


def is_about_flags(finding: Finding) -> bool:
    """Return whether a finding is about ``trainable`` flags, so that no path and no cut belongs to
    it."""
    return finding.code.startswith("GF1") or finding.code in (
        UNEXPECTED_FROZEN,
        _UNEXPECTED_TRAINABLE,
    )


def dangers(model: ModelReport) -> list[Danger]:
    """Return what kept ``model`` from being loaded, in the order of its findings."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in model.open_findings:
        if is_danger(finding):
            key = (finding.threat or finding.message, finding.hint)
            groups.setdefault(key, []).append(finding)
    return [
        Danger(description, hint, tuple(finding.location for finding in findings))
        if len(findings) > 1
        else Danger(findings[0].message, hint, ())
        for (description, hint), findings in groups.items()
    ]


def is_danger(finding: Finding) -> bool:
    """Return whether a finding is a reason not to load the model."""
    return finding.code == _UNSAFE and finding.severity is Severity.ERROR


def is_itemized(model: ModelReport) -> bool:
    """Return whether the findings say all that the error of the model does: only one of them is
    shown."""
    return (
        model.error is not None
        and model.error.code == _UNSAFE
        and any(map(is_danger, model.open_findings))
    )
