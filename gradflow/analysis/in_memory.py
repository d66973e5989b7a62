"""Analyse a Keras model or tf.Module in memory, and leave it as it was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradflow.analysis.result import Analysis, analyzed, failed
from gradflow.analysis.step_model import analyse_model
from gradflow.diagnose import Evidence
from gradflow.errors import GradflowError, NoWeightsError
from gradflow.findings import FlowMap, Format, Mode, Tool
from gradflow.options import Options
from gradflow.progress import Progress
from gradflow.tape.load.compiled_loss import loss_unchanged, trains_itself
from gradflow.tape.load.in_memory import model_in_memory
from gradflow.tape.seeded_process import seeded_process
from gradflow.tape.versions import tool, unchanged

_UNUSED = "GF206"
_UNSEEDED = ", random ops of an earlier trace draw anew each time"
"""A ConcreteFunction, or what ``tf.saved_model.load`` returns, can be given no seed."""


def inspect_object(model: Any, options: Options) -> tuple[Tool, Analysis]:
    """Analyse ``model``; whatever cannot be checked becomes a report with status ``failed``."""
    name = str(getattr(model, "name", None) or type(model).__name__)
    return analyse_object(model, name, options)


def analyse_object(
    model: Any, name: str, options: Options, progress: Progress = lambda _: None
) -> tuple[Tool, Analysis]:
    """Do what ``inspect_object`` does, of a model that the report calls ``name``."""
    try:
        loaded = model_in_memory(model, name, options)
        variables = [item.variable for item in loaded.watched if item.variable is not None]
        with (
            unchanged(variables),
            loss_unchanged(model),
            seeded_process(options.seed) as unseeded,
        ):
            analysis = analyse_model(loaded, name, Format.MEMORY, options, progress)
        if unseeded:
            entry = f"{analysis.report.entry}{_UNSEEDED}"
            analysis = replace(analysis, report=replace(analysis.report, entry=entry))

        def draw() -> FlowMap | None:
            with unchanged(variables), loss_unchanged(model), seeded_process(options.seed):
                drawn: FlowMap | None = analysis.draw()
            return drawn

        drawing = replace(analysis, draw=draw)
        return tool(), _told_of_own_step(drawing) if trains_itself(model) else drawing
    except NoWeightsError:
        nothing = Evidence(variables=())
        return tool(), analyzed(name, Format.MEMORY, Mode.TAPE, nothing, producer=None)
    except GradflowError as error:
        return tool(), Analysis(failed(name, error, Mode.TAPE, Format.MEMORY))


def _told_of_own_step(analysis: Analysis) -> Analysis:
    """Add to what is said of unused weights that the model's own ``train_step`` may train them."""
    words = "the model's own train_step may train them: inspect the part that they belong to"
    findings = tuple(
        replace(finding, hint="; ".join(filter(None, (words, finding.hint))))
        if finding.code == _UNUSED
        else finding
        for finding in analysis.report.findings
    )
    return replace(analysis, report=replace(analysis.report, findings=findings))
