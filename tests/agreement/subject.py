"""Call gradflow on a model or its file, in this process and for all tests of agreement."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gradflow
from gradflow.analysis.result import Analysis
from gradflow.errors import GradflowError
from gradflow.files.recognise import recognise
from gradflow.findings import Failure, ModelReport
from gradflow.options import Objective, Options, parse_inputs


def report_on_model(model: Any, training: bool = True) -> ModelReport:
    """Analyse the outputs of a Keras model or a tf.Module in memory: what the oracles look at."""
    return gradflow.inspect(model, training=training, objective="outputs").models[0]


def analysed(path: Path | str, options: Options) -> Analysis:
    """Analyse a file that was not scanned."""
    from gradflow.analysis.dynamic import analyse_file

    return analyse_file(recognise(path), str(path), options)


def report_on_file(
    path: Path, inputs: Iterable[str] = (), objective: Objective = Objective.OUTPUTS
) -> ModelReport | Failure:
    """Scan and analyse a file without the child process that the command line starts for each (5 s
    a model).

    ``inputs`` are those of ``--input``; the outputs are what the oracles look at.
    """
    import keras

    from gradflow.analysis.dynamic import analyse_file
    from gradflow.analysis.safety import admit

    keras.backend.clear_session()  # as in the fresh process that the command line starts
    options = Options(inputs=parse_inputs(inputs), objective=objective)
    try:
        file = recognise(path)
        admit(file, str(path), options)
        return analyse_file(file, str(path), options).report
    except GradflowError as error:
        return Failure(error.code, error.message, error.hint)
