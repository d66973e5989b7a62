"""Run one step under a GradientTape that watches every variable, and measure their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from gradflow.errors import GradflowError, is_lack_of_memory
from gradflow.findings import Output
from gradflow.options import Options
from gradflow.tape.gradient_registry import asked_in_vain, without_lookup_errors
from gradflow.tape.inputs.search import Batch, with_batch
from gradflow.tape.load.error_messages import BackwardError
from gradflow.tape.load.untracked import with_untracked
from gradflow.tape.loaded_model import CallableModel, Step, Watched
from gradflow.tape.measure import measure
from gradflow.tape.objective import described, project, select


@dataclass(frozen=True, slots=True)
class _Pass:
    watched: tuple[Watched, ...]
    outputs: tuple[Output, ...]
    gradients: Sequence[Any]
    """Of those of ``watched`` that are live."""


def step(
    model: CallableModel, options: Options, scale: float = 1.0, *, keeps_gradients: bool = False
) -> Step:
    """Run the forward pass, the random-projection objective times ``scale`` and the backward pass.

    ``keeps_gradients``: whether the gradients themselves are wanted too, which take as much memory
    as the weights.

    Raises:
        InputError: no synthetic batch is accepted.
        UsageError: a selected output or a given input does not exist.
    """

    def run(batch: Batch) -> _Pass:
        try:
            return without_lookup_errors(
                lambda: _passed(model, batch, options, scale), model.lost_gradients
            )
        except GradflowError:
            raise
        except Exception as error:  # a model's code can raise anything at all
            if not is_lack_of_memory(error) and _runs(model, batch):
                raise BackwardError(str(error)) from error
            raise

    asked = asked_in_vain()
    batch, result = with_batch(
        model.inputs,
        options,
        model.id_limit,
        run,
        model.learn,
        is_cheap=model.knows_graph,
        composites=model.composites,
    )
    live = [item for item in result.watched if item.variable is not None]
    gradients = {
        item.stored.name: gradient for item, gradient in zip(live, result.gradients, strict=True)
    }
    measured = {name: measure(gradient) for name, gradient in gradients.items()}
    kept = gradients if keeps_gradients else {}
    raising = tuple(sorted(asked_in_vain() - asked))
    return Step(
        watched=result.watched,
        batch=batch,
        outputs=result.outputs,
        measured=measured,
        gradients=kept,
        raising=raising,
    )


def _passed(model: CallableModel, batch: Batch, options: Options, scale: float) -> _Pass:
    with tf.GradientTape() as tape:
        for variable in _live(model.watched):
            tape.watch(variable)
        outputs = select(model.call(batch.tensors), options.outputs)
        objective = project(outputs, options.seed, scale)
    watched = with_untracked(model, tape.watched_variables())
    variables = _live(watched)
    gradients = (
        [None] * len(variables) if objective is None else tape.gradient(objective, variables)
    )
    records = tuple(described(name, tensor) for name, tensor in outputs)
    return _Pass(watched, records, gradients)


def _live(watched: Sequence[Watched]) -> list[Any]:
    return [item.variable for item in watched if item.variable is not None]


def _runs(model: CallableModel, batch: Batch) -> bool:
    """Return whether the model takes a batch when nothing is differentiated: a loaded function is
    built with its gradient."""
    try:
        model.call(batch.tensors)
    except Exception:  # a model's code can raise anything at all
        return False
    return True
