"""Tell without TensorFlow what a model file says about its gradients.

What reads a format is imported where a file has it: that of both takes twice as long.
"""

from __future__ import annotations

import time
from dataclasses import replace
from importlib import import_module

from gradflow.analysis.result import Analysis, with_reason
from gradflow.errors import DamagedError, GradflowError, is_lack_of_memory
from gradflow.files.formats import FILE_FORMATS
from gradflow.files.model_file import ModelFile
from gradflow.files.recognise import recognise
from gradflow.options import Options


def read(path: str, options: Options) -> Analysis:
    """Analyse the file at ``path`` statically.

    Raises:
        GradflowError: it holds no model that can be read, or an option does not fit it.
    """
    with recognise(path) as file:
        return read_file(file, path, options)


def read_file(file: ModelFile, path: str, options: Options) -> Analysis:
    """Do what ``read`` does, for a file that is recognised already."""
    reader = FILE_FORMATS[file.format].reader
    module = import_module(f"gradflow.analysis.static_{reader}")
    analysis: Analysis = getattr(module, f"report_{reader}")(file, path, options)
    return analysis


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
    begun = time.process_time()
    try:
        analysis = read_file(file, path, options)
    except DamagedError:
        raise
    except GradflowError:
        raise refusal from None
    if not analysis.report.variables:
        raise refusal
    told = with_reason(analysis, refusal.message.removeprefix(f"{path}: "), refusal.hint)
    if not options.follow:
        return told
    from gradflow.analysis.followed import followed_in_file  # takes a while

    # Who asks next would wait for TensorFlow once more, to hear that it cannot load the file.
    return replace(told, followed=followed_in_file(told, time.process_time() - begun))
