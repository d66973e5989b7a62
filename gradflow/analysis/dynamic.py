"""Step a model file that was scanned, in the process with TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from gradflow.analysis.result import Analysis
from gradflow.files.formats import FILE_FORMATS, READERS
from gradflow.files.model_file import ModelFile
from gradflow.options import Options
from gradflow.progress import Progress
from gradflow.scan import Threat
from gradflow.tape.custom_ops import is_registered
from gradflow.tape.load.user_modules import import_modules
from gradflow.tape.versions import seed_everything

Run = Callable[[ModelFile, str, Options, Mapping[str, Any], Progress], Analysis]
_RUNS: Mapping[str, Run] = {
    reader: getattr(import_module(f"gradflow.analysis.dynamic_{reader}"), f"run_{reader}")
    for reader in READERS
}
"""Imported here, so that a process that is copied has them."""


def known_to_tensorflow(threats: Sequence[Threat]) -> list[Threat]:
    """Return those of ``threats`` that are ops which gradflow does not know and this TensorFlow
    has."""
    return [threat for threat in threats if threat.needs_import and is_registered(threat.idle_op)]


def analyse_file(
    file: ModelFile,
    path: str,
    options: Options,
    folder: str = "",
    progress: Progress = lambda _: None,
) -> Analysis:
    """Load a model that was scanned and step it; the user's own modules are looked for in
    ``folder`` too.

    Raises:
        GradflowError: it cannot be loaded or fed, or is not the file any more that was scanned.
    """
    progress("load")
    custom = import_modules(options.imports, folder)
    seed_everything(options.seed)
    file.refuse_change()
    run = _RUNS[FILE_FORMATS[file.format].reader]
    return run(file, path, options, custom, progress)
