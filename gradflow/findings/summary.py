"""Count the variables of a report."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.findings.types import Role, Summary, Variable, Verdict


def summarize(variables: Sequence[Variable]) -> Summary:
    """Count weights, state and verdicts; the verdicts are those of the weights that are not
    frozen."""
    weights = [variable for variable in variables if variable.role is Role.WEIGHT]
    alive = [variable for variable in weights if variable.trainable]
    counts = {
        verdict: sum(variable.verdict is verdict for variable in alive) for verdict in Verdict
    }
    return Summary(
        weights=len(weights),
        flows=counts[Verdict.FLOWS],
        none=counts[Verdict.NONE],
        zero=counts[Verdict.ZERO],
        nonfinite=counts[Verdict.NONFINITE],
        unknown=counts[Verdict.UNKNOWN],
        frozen=len(weights) - len(alive),
        state=len(variables) - len(weights),
        parameters=sum(variable.parameters for variable in weights),
        trainable_parameters=sum(variable.parameters for variable in alive),
    )
