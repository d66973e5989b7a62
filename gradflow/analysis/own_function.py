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
                specs, targets = as_specs(batch, Path(scratch), count)
                read_specs = read("inputs", specs, f"{path}: its batch: ")
                options = replace(options, inputs=read_specs, targets=targets)
            return analyse_object(model, path, options, progress)
    except GradflowError as error:
        return tool(), Analysis(failed(path, error, Mode.TAPE, Format.MEMORY))
