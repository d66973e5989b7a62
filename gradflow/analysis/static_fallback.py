"""A file that nothing here loads in, what can be read of it all the same out."""

from __future__ import annotations

from dataclasses import replace

from gradflow.analysis.result import Analysis
from gradflow.analysis.static import read_file
from gradflow.diagnose import describe_unloaded
from gradflow.errors import DamagedError, GradflowError, is_lack_of_memory
from gradflow.files.model_file import ModelFile
from gradflow.options import Options


def analyse_unloaded(
    file: ModelFile, path: str, options: Options, refusal: GradflowError
) -> Analysis:
    """Read the file statically, with ``refusal`` as a finding that says why it was not run.

    Raises:
        DamagedError: the file is, which says more than what a library made of it.
        GradflowError: ``refusal`` itself, where the file alone tells of no variable.
        MemoryError: that is the reason of ``refusal``, which says nothing about the file.
    """
    if is_lack_of_memory(refusal):
        raise MemoryError from refusal
    try:
        analysis = read_file(file, path, options)
    except DamagedError:
        raise
    except GradflowError:
        raise refusal from None
    if not analysis.report.variables:
        raise refusal
    finding = describe_unloaded(refusal.message.removeprefix(f"{path}: "), refusal.hint)
    return replace(
        analysis, report=replace(analysis.report, findings=(finding, *analysis.report.findings))
    )
