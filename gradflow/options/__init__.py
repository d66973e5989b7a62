"""Declare the options of an analysis once, for the command line, the configuration and Python."""

from gradflow.options.analysis import (
    ALL_ENTRIES,
    DECLARED,
    Declared,
    Options,
    from_python,
    names_without_effect,
    read,
    refuse_entry,
    refuse_objective,
    refuse_outputs,
)
from gradflow.options.python_words import in_python
from gradflow.options.values import (
    DEFAULT_THRESHOLDS,
    DTYPES,
    InputSpec,
    Objective,
    Thresholds,
    beside,
    parse_inputs,
)

__all__ = [
    "ALL_ENTRIES",
    "DECLARED",
    "DEFAULT_THRESHOLDS",
    "DTYPES",
    "Declared",
    "InputSpec",
    "Objective",
    "Options",
    "Thresholds",
    "beside",
    "from_python",
    "in_python",
    "names_without_effect",
    "parse_inputs",
    "read",
    "refuse_entry",
    "refuse_objective",
    "refuse_outputs",
]
