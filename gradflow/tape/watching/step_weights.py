"""Choose the variables that a recorded step has to do with."""

from __future__ import annotations

from gradflow.tape.watching.recorder import Record
from gradflow.tape.watching.training_graphs import Handles
from gradflow.tape.watching.variables import Weight, alive, by_number, plain_of, weights_of


def step_weights(record: Record) -> tuple[Weight, ...]:
    """Return the variables of the models and layers of a step, and the others that its gradients
    were asked for, that its optimizers got, or that it read and could train."""
    named = {number for call in record.calls for number in call.asked}
    named |= {number for application in record.applications for number in application.given}
    handles = Handles()
    read = record.read | {
        handle._id
        for traced in record.traces
        for external, _ in traced.graph.captures
        if (handle := handles.of(external)) is not None
    }
    variables = {
        number: variable
        for number, kept in record.variables.items()
        if (variable := kept()) is not None
    }
    if not named | (read & record.before.held.keys()) <= variables.keys():  # some are new
        variables = dict(by_number(alive()))

    def is_used(number: int) -> bool:
        variable = variables.get(number)
        if number in named:
            return True
        return (
            number in read
            and variable is not None
            and bool(plain_of(variable).trainable)
            and variable.dtype.is_floating
        )

    return weights_of(record.owners, list(variables.values()), is_used)
