"""A model in, its analysis out, in the process that has TensorFlow."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradflow.analysis.conclude import analyzed
from gradflow.analysis.explain import (
    Stepped,
    largest_of_all,
    looked_into,
    probed_again,
    rounding_noise,
)
from gradflow.analysis.result import Analysis, Progress
from gradflow.analysis.static import chosen, refuse_entry, report_saved_model
from gradflow.analysis.static_fallback import analyse_unloaded
from gradflow.analysis.tf1 import analyse_graph
from gradflow.diagnose import Evidence, Measurement, Sighting, find
from gradflow.errors import GradflowError, InputError, UnreadableError, is_lack_of_memory
from gradflow.files.freezing import FreezeDoubt
from gradflow.files.keras.reader import read_keras
from gradflow.files.model_file import ModelFile
from gradflow.files.saved_model.choose_entry import other_entries
from gradflow.files.saved_model.contents import Entry, SavedModelContents
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.findings import Format, Mode, Role, Verdict
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import FlowGraph
from gradflow.flow.origins import source_finder
from gradflow.options import Options, refuse_objective
from gradflow.scan import IMPORT, Threat
from gradflow.tape.custom_ops import is_registered
from gradflow.tape.load.error_messages import calls_lost_python
from gradflow.tape.load.keras2 import keras2_subject, load_older
from gradflow.tape.load.keras3 import keras_subject, load_keras
from gradflow.tape.load.saved_loss import compile_as_saved
from gradflow.tape.load.saved_model import NotLoadedError, saved_model_subject
from gradflow.tape.load.user_modules import import_modules
from gradflow.tape.loaded_model import Subject
from gradflow.tape.step import step
from gradflow.tape.trace import Trace, lower_trace
from gradflow.tape.versions import seed_everything

_UNBUILT = (
    "Keras loads it without its weights: what the file records of its inputs is not enough "
    "to build it"
)
_UNBUILT_HINT = (
    "define get_build_config and build_from_config in its class and save it again, or give the "
    "model in memory to "
    "gradflow.inspect(model)"
)
_OTHER_ENTRIES = 3
"""Of a SavedModel, that are tried where the best one refuses every input."""


def known_to_tensorflow(threats: Sequence[Threat]) -> list[Threat]:
    """Those of ``threats`` that are ops which gradflow does not know and this TensorFlow has."""
    return [
        threat
        for threat in threats
        if threat.remedy == IMPORT and threat.idle_op and is_registered(threat.idle_op)
    ]


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
    if file.format is Format.SAVED_MODEL:
        return _analyse_saved_model(file, path, options, progress)
    return _analyse_keras(file, path, options, custom, progress)


def _analyse_keras(
    file: ModelFile, path: str, options: Options, custom: Mapping[str, Any], progress: Progress
) -> Analysis:
    refuse_entry(path, options)
    try:
        subject = _keras_file(file, options, custom)
    except UnreadableError as refusal:
        return analyse_unloaded(file, path, options, refusal)
    file.close()
    return analyse_subject(subject, path, file.format, options, progress)


def _keras_file(file: ModelFile, options: Options, custom: Mapping[str, Any]) -> Subject:
    """Load a Keras file with the Keras that can: Keras 3, else Keras 2 where that wrote it."""
    producer, freezers, doubts, has_weights = _recorded(file)
    try:
        model = load_keras(file, producer, custom, options.imports, trust=options.trust)
    except UnreadableError as refusal:
        older = load_older(file, producer, custom, options.imports, refusal, trust=options.trust)
        if options.loss_seed is not None:
            compile_as_saved(older, file, producer, custom, options.imports, trust=options.trust)
        return keras2_subject(older, producer, options.training, loss_seed=options.loss_seed)
    if has_weights and not model.variables:
        raise UnreadableError(f"{file.path}: {_UNBUILT}", _UNBUILT_HINT)
    if options.loss_seed is not None:
        compile_as_saved(model, file, producer, custom, options.imports, trust=options.trust)
    names = tuple(spec.name for spec in options.inputs)
    return keras_subject(
        model, producer, options.training, names, freezers, doubts, options.loss_seed
    )


def _analyse_saved_model(
    file: ModelFile, path: str, options: Options, progress: Progress
) -> Analysis:
    """Step the entry that is asked for; where none is, and the best refuses its inputs, one that
    takes others."""
    refuse_objective(path, options)
    graphs = read_saved_model(file)
    contents, entry = chosen(graphs, path, options)
    try:
        return _analyse_entry(file, path, contents, entry, options, progress)
    except InputError:
        if entry is None or options.entry is not None or options.inputs:
            raise
        others = itertools.islice(
            other_entries(graphs, entry, training=options.training), _OTHER_ENTRIES
        )
        for other_contents, other in others:
            with contextlib.suppress(GradflowError):
                return _analyse_entry(file, path, other_contents, other, options, progress)
        raise


def _analyse_entry(
    file: ModelFile,
    path: str,
    contents: SavedModelContents,
    entry: Entry | None,
    options: Options,
    progress: Progress,
) -> Analysis:
    if entry is None or not any(one.name in entry.uses for one in contents.variables):
        # There is nothing that a tape could watch.
        return report_saved_model(path, contents, entry, options)
    try:
        if entry.function is None:
            return analyse_graph(file, path, contents, entry, options, progress)
        subject = saved_model_subject(file.path, contents, entry)
        return analyse_subject(subject, path, file.format, options, progress)
    except NotLoadedError as error:
        return analyse_unloaded(file, path, options, error)
    except InputError as error:
        if not calls_lost_python(error):
            raise
        hint = "give the model in memory to gradflow.inspect(model)"
        lost = NotLoadedError("it calls a Python function, which no file holds", hint)
        return analyse_unloaded(
            file, path, replace(options, entry=options.entry or entry.label), lost
        )


def analyse_subject(
    subject: Subject,
    path: str,
    format: Format,
    options: Options,
    progress: Progress = lambda _: None,
) -> Analysis:
    """Step a loaded model and join what tape and graph say.

    Raises:
        GradflowError: no batch is accepted, or an option does not fit the model.
    """
    if options.why is not None and subject.describe is None:
        # A typing error is told before the step.
        find(options.why, [item.stored.name for item in subject.watched])
    progress("step")
    subject, batch, outputs, first = step(subject, options)
    subject = subject.with_state(options.state)
    measured: Mapping[str, Measurement] = first
    stored = tuple(item.stored for item in subject.watched)
    removed, tiny = rounding_noise(subject, measured, options.thresholds)
    graph: FlowGraph | None = None
    sightings: Mapping[str, tuple[Sighting, ...]] = {}
    attributions: Mapping[str, Attribution] = {}
    is_explained = options.why is not None or format is Format.SAVED_MODEL or bool(tiny)
    if is_explained or _needs_explanation(subject, measured):
        progress("trace")
        graph, traced = _graph(subject, batch.tensors, options.outputs)
        if graph is not None:
            attributions = attribute(graph)
            stepped = Stepped(subject, options, batch.tensors, graph, traced, attributions)
            measured = probed_again(stepped, measured, progress)
            measured, sightings, more = looked_into(stepped, measured, tiny, progress)
            removed = {**removed, **more}
            measured = largest_of_all(
                stepped, measured, [name for name in tiny if name not in removed]
            )
    evidence = Evidence(
        variables=stored,
        measurements=measured,
        graph=graph,
        attributions=attributions,
        layer_of=subject.layer_of(graph),
        sightings=sightings,
        cancelled=removed,
        epsilon=subject.epsilon,
        has_running_statistics=subject.has_running_statistics,
        selected=options.outputs,
        source_of=source_finder(graph),
        doubts=subject.doubts,
        is_of_loss=options.loss_seed is not None,
        thresholds=options.thresholds,
    )
    producer, inputs = subject.producer, batch.described
    return analyzed(
        path, format, producer, subject.entry, Mode.TAPE, evidence, inputs, outputs, options.why
    )


def _graph(
    subject: Subject, batch: Sequence[Any], outputs: Sequence[str]
) -> tuple[FlowGraph | None, Trace | None]:
    """The graph of the call that was stepped, and its trace where there had to be one.

    Both None where its code runs eagerly and cannot be traced.
    """
    if subject.stored_graph is not None:
        return subject.stored_graph(outputs), None
    try:
        traced = subject.trace(batch)
    except GradflowError:
        raise
    except Exception as error:  # tracing runs the model's own code, which can raise anything at all
        if is_lack_of_memory(error):
            raise MemoryError from error
        return None, None
    return lower_trace(traced, subject.handles, outputs), traced


def _recorded(
    file: ModelFile,
) -> tuple[str | None, Mapping[str, str], tuple[FreezeDoubt, ...] | None, bool]:
    """Who wrote a Keras file, the outermost layer that froze each weight, what is doubtful about
    that, has it weights.

    A Sequential that is loaded forgets its own flag, though its layers keep theirs (Keras 3.15):
    the file knows.
    """
    try:
        contents = read_keras(file)
    except UnreadableError:
        return None, {}, None, False  # Keras may still be able to load it
    frozen = {
        variable.name: variable.frozen_by
        for variable in contents.variables
        if variable.frozen_by is not None
    }
    has_weights = any(variable.role is Role.WEIGHT for variable in contents.variables)
    return contents.producer, frozen, contents.doubts, has_weights


def _needs_explanation(subject: Subject, measured: Mapping[str, Measurement]) -> bool:
    """Tracing a Keras model costs a sixth of the whole run: only where some weight's gradient is
    missing."""
    return any(
        item.stored.role is Role.WEIGHT
        and (
            item.stored.name not in measured
            or measured[item.stored.name].verdict is not Verdict.FLOWS
        )
        for item in subject.watched
    )
