"""A model in, its report out, in the process that has TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradflow.diagnose import Evidence, Measurement, leads_through_branch
from gradflow.errors import GradflowError, UnreadableError
from gradflow.files.contents import ModelFile
from gradflow.files.keras_files import read_keras
from gradflow.files.recognise import recognise
from gradflow.files.saved_model import choose_entry, read_saved_model
from gradflow.findings import Format, Mode, ModelReport, Role, Verdict
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import FlowGraph
from gradflow.flow.origins import place_finder, source_finder
from gradflow.flow.scopes import layer_finder, variable_layers
from gradflow.options import Options
from gradflow.tape.imports import import_modules
from gradflow.tape.keras_model import keras_subject, load_keras
from gradflow.tape.runtime import seed_everything
from gradflow.tape.saved_model import saved_model_subject
from gradflow.tape.step import step
from gradflow.tape.subject import Subject
from gradflow.worker.outcome import Progress, analyzed
from gradflow.worker.read import refuse_entry, report_saved_model

_PROBES = 3
"""Batches that are tried before a zero gradient counts."""


def analyse_file(path: str, options: Options, progress: Progress = lambda _: None) -> ModelReport:
    """Load the model at ``path`` and step it.

    Raises:
        GradflowError: it cannot be read, loaded or fed.
    """
    file = recognise(path)
    progress("load")
    custom = import_modules(options.imports)
    seed_everything(options.seed)
    names = tuple(spec.name for spec in options.inputs)
    if file.format is not Format.SAVED_MODEL:
        refuse_entry(path, options)
        producer, freezers = _recorded(file)
        subject = keras_subject(load_keras(file, producer, custom), producer, options.training, names, freezers)
        return analyse_subject(subject, path, file.format, options, progress)
    contents = read_saved_model(file.path)
    entry = choose_entry(contents, path, options.entry)
    if entry.function is None or not any(entry.captured):
        # TensorFlow 2 shows no variables of a TF1 graph; without variables there is nothing that a tape could watch.
        return report_saved_model(path, contents, entry, options)
    subject = saved_model_subject(file.path, contents, entry)
    return analyse_subject(subject, path, file.format, options, progress)


def analyse_subject(
    subject: Subject, path: str, format: Format, options: Options, progress: Progress = lambda _: None
) -> ModelReport:
    """Step a loaded model and join what tape and graph say.

    Raises:
        GradflowError: no batch is accepted, or an option does not fit the model.
    """
    progress("step")
    batch, outputs, first = step(subject, options)
    measured: Mapping[str, Measurement] = first
    stored = tuple(item.stored for item in subject.watched)
    graph = None
    if format is Format.SAVED_MODEL or _needs_explanation(subject, measured):
        progress("trace")
        graph = _graph(subject, batch.tensors, options.outputs)
    attributions = attribute(graph) if graph is not None else {}
    if graph is not None:
        measured = _probed_again(subject, options, graph, attributions, measured, progress)
    layers = variable_layers(item.layer for item in stored) if subject.layers is None else subject.layers
    ops = graph.names if graph is not None else ()
    layer_of = place_finder(graph, layer_finder(ops, layers, complete=subject.layers is not None))
    evidence = Evidence(stored, measured, graph, attributions, layer_of, options.outputs, source_finder(graph))
    return analyzed(path, format, subject.producer, subject.entry, Mode.TAPE, evidence, batch.described, outputs)


def _probed_again(
    subject: Subject,
    options: Options,
    graph: FlowGraph,
    attributions: Mapping[str, Attribution],
    measured: Mapping[str, Measurement],
    progress: Progress,
) -> Mapping[str, Measurement]:
    """Draw other batches before a weight is called dead: a narrow ReLU can be off for all of one small batch.

    Only where a path flows that leads through no branch: of a branch not taken for this input, the zero is the answer.
    """
    weights = {item.stored.name for item in subject.watched if item.stored.role is Role.WEIGHT}
    for probe in range(1, _PROBES):
        dead = [
            name
            for name, measurement in measured.items()
            if measurement.verdict is Verdict.ZERO
            and name in weights
            and name in attributions
            and attributions[name].cuts_to_restore == 0
            and not leads_through_branch(graph, attributions[name])
        ]
        if not dead:
            break
        progress("step")
        _, _, again = step(subject, replace(options, seed=options.seed + probe))
        alive = {name: again[name] for name in dead if again[name].verdict is Verdict.FLOWS}
        measured = {**measured, **alive}
    return measured


def _graph(subject: Subject, batch: Sequence[Any], outputs: Sequence[str]) -> FlowGraph | None:
    """The graph of the call that was stepped; None where its code runs eagerly and cannot be traced."""
    try:
        return subject.graph(batch, outputs)
    except GradflowError:
        raise
    except Exception:  # tracing runs the model's own code, which can raise anything at all
        return None


def _recorded(file: ModelFile) -> tuple[str | None, Mapping[str, str]]:
    """Who wrote a Keras file, and the outermost layer that froze each weight.

    A Sequential that is loaded forgets its own flag, though its layers keep theirs (Keras 3.15): the file knows.
    """
    try:
        contents = read_keras(file)
    except UnreadableError:
        return None, {}  # Keras may still be able to load it
    frozen = {variable.name: variable.frozen_by for variable in contents.variables if variable.frozen_by is not None}
    return contents.producer, frozen


def _needs_explanation(subject: Subject, measured: Mapping[str, Measurement]) -> bool:
    """Tracing a Keras model costs a sixth of the whole run: only where some weight's gradient is missing."""
    return any(
        item.stored.role is Role.WEIGHT
        and (item.stored.name not in measured or measured[item.stored.name].verdict is not Verdict.FLOWS)
        for item in subject.watched
    )
