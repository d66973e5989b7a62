"""A Keras model or tf.Module in memory in, its report out; the object is left as it was found."""

from __future__ import annotations

from typing import Any

from gradflow.analysis.dynamic import analyse_subject
from gradflow.analysis.result import failed
from gradflow.errors import GradflowError
from gradflow.findings import Format, Mode, ModelReport, Tool
from gradflow.options import Options
from gradflow.tape.load.in_memory import memory_subject
from gradflow.tape.versions import tool, unchanged


def inspect_object(model: Any, options: Options) -> tuple[Tool, ModelReport]:
    """Analyse ``model``; whatever cannot be checked becomes a report with status ``failed``."""
    name = str(getattr(model, "name", None) or type(model).__name__)
    try:
        subject = memory_subject(model, name, options)
        with unchanged([item.variable for item in subject.watched if item.variable is not None]):
            return tool(), analyse_subject(subject, name, Format.MEMORY, options).report
    except GradflowError as error:
        return tool(), failed(name, error, Mode.TAPE, Format.MEMORY)
