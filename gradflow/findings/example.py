"""Choose the variable whose way to a cause is worth drawing."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.findings.types import Cause, Variable


def example(variables: Sequence[Variable], cause: Cause) -> Variable | None:
    """Return the first variable of the layer nearest to the cause; None where no way is known."""
    with_path = [variable for variable in variables if cause.op in variable.path]
    if not with_path:
        return None
    nearest = min(with_path, key=lambda variable: variable.path.index(str(cause.op)))
    return next(variable for variable in with_path if variable.layer == nearest.layer)
