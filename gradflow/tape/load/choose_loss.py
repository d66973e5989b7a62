"""Choose between the compiled loss of a Keras model and its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradflow.errors import GradflowError, UsageError
from gradflow.files.model_file import ModelFile
from gradflow.options import Objective, Options
from gradflow.tape.load.compiled_loss import (
    OUTPUTS,
    PREFIX,
    LossChoice,
    NoLossError,
    has_own_step,
    is_compiled,
)
from gradflow.tape.load.saved_loss import compile_as_saved


def choose_saved_loss(
    model: Any,
    file: ModelFile,
    producer: str | None,
    custom: Mapping[str, Any],
    options: Options,
) -> LossChoice:
    """Compile ``model`` with the loss of its file where it is asked for; the parameters are those
    of ``compile_as_saved``.

    Raises:
        UsageError: the loss is asked for by name, and the file has none, or none that is to be had.
        UnsafeError: it is asked for by name, and not known to be harmless.
    """
    if options.loss_seed is None:
        return OUTPUTS
    try:
        _refuse_own_step(model, options)
        compile_as_saved(model, file, producer, custom, options.imports, trust=options.trust)
    except GradflowError as error:
        if options.objective is Objective.COMPILED:
            raise
        return LossChoice(unused=why_unused(error))
    return _own_loss(options)


def choose_live_loss(model: Any, options: Options) -> LossChoice:
    """Choose for a model in memory."""
    if options.objective is Objective.COMPILED:
        return _own_loss(options)
    if options.loss_seed is None or not is_compiled(model):
        return OUTPUTS
    try:
        _refuse_own_step(model, options)
    except UsageError as error:
        return LossChoice(unused=why_unused(error))
    return _own_loss(options)


def why_unused(error: GradflowError) -> str:
    """Say in one line why the compiled loss is not used; empty where there is none."""
    if isinstance(error, NoLossError):
        return ""
    reason = error.message.rpartition(PREFIX)[2]
    return f"{reason}; {error.remedy}" if error.remedy else reason


def _own_loss(options: Options) -> LossChoice:
    return LossChoice(options.loss_seed, options.targets, options.sample_weights)


def _refuse_own_step(model: Any, options: Options) -> None:
    if options.objective is Objective.AUTO and has_own_step(model):
        raise UsageError(
            f"{type(model).__name__} has a train_step of its own, which decides what fit() "
            "minimises"
        )
