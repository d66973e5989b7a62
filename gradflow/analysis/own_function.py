"""Analyse the model that a function of the user's own makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gradflow.analysis.in_memory import analyse_object
from gradflow.analysis.result import Analysis, failed
from gradflow.errors import GradflowError
from gradflow.files.own_function import function_at
from gradflow.findings import Format, Mode, Tool
from gradflow.options import Options, read
from gradflow.progress import Progress
from gradflow.scratch import scratch_folder
from gradflow.tape.inputs.callers_arrays import as_specs
from gradflow.tape.load.own_function import made_by
from gradflow.tape.load.user_modules import import_modules
from gradflow.tape.versions import seed_everything, tool

_BATCH = "its batch"
"""What messages call the inputs that come with the model."""


def analyse_function(
    path: str, options: Options, folder: str, progress: Progress
) -> tuple[Tool, Analysis]:
    """Call the function that ``path`` names, and step the model that it returns.

    Its module is looked for in ``folder`` first. What cannot be checked is a report with status
    ``failed``.
    """
    try:
        progress("build")
        import_modules(options.imports, folder)
        seed_everything(options.seed)
        model, batch = made_by(function_at(path), folder)
        with scratch_folder() as scratch:
            if batch is not None and not options.inputs:
                count = len(getattr(model, "inputs", None) or ())
                arrays = as_specs(batch, Path(scratch), count, _BATCH)
                read_specs = read("inputs", arrays.inputs, f"{path}: {_BATCH}: ")
                options = replace(
                    options,
                    inputs=read_specs,
                    targets=arrays.targets,
                    sample_weights=arrays.sample_weights,
                )
            return analyse_object(model, path, options, progress)
    except GradflowError as error:
        return tool(), Analysis(failed(path, error, Mode.TAPE, Format.MEMORY))
