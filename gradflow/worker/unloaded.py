"""A file that nothing here loads in, what can be read of it all the same out."""

from __future__ import annotations

from dataclasses import replace

from gradflow.diagnose import describe_unloaded
from gradflow.errors import GradflowError
from gradflow.files.contents import ModelFile
from gradflow.options import Options
from gradflow.worker.outcome import Analysis
from gradflow.worker.read import read_file


def analyse_unloaded(file: ModelFile, path: str, options: Options, refusal: GradflowError) -> Analysis:
    """Read the file statically, with ``refusal`` as a finding that says why it was not run.

    Raises:
        GradflowError: ``refusal`` itself, where the file alone tells of no variable.
    """
    try:
        analysis = read_file(file, path, options)
    except GradflowError:
        raise refusal from None
    if not analysis.report.variables:
        raise refusal
    finding = describe_unloaded(refusal.message.removeprefix(f"{path}: "), refusal.hint)
    return replace(analysis, report=replace(analysis.report, findings=(finding, *analysis.report.findings)))
