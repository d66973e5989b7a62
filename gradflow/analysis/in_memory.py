"""Analyse a Keras model or tf.Module in memory, and leave it as it was found."""

from __future__ import annotations

from typing import Any

from gradflow.analysis.dynamic import analyse_model
from gradflow.analysis.result import failed
from gradflow.errors import GradflowError
from gradflow.findings import Format, Mode, ModelReport, Tool
from gradflow.options import Options
from gradflow.tape.load.compiled_loss import loss_unchanged
from gradflow.tape.load.in_memory import model_in_memory
from gradflow.tape.versions import tool, unchanged


def inspect_object(model: Any, options: Options) -> tuple[Tool, ModelReport]:
    """Analyse ``model``; whatever cannot be checked becomes a report with status ``failed``."""
    name = str(getattr(model, "name", None) or type(model).__name__)
    try:
        loaded = model_in_memory(model, name, options)
        variables = [item.variable for item in loaded.watched if item.variable is not None]
        with unchanged(variables), loss_unchanged(model):
            return tool(), analyse_model(loaded, name, Format.MEMORY, options).report
    except GradflowError as error:
        return tool(), failed(name, error, Mode.TAPE, Format.MEMORY)
