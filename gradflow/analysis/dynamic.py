"""Load a model, step it, explain its gradients and conclude, in the process with TensorFlow."""

from __future__ import annotations

import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from gradflow.analysis.all_entries import each_entry, joined
from gradflow.analysis.followed import followed
from gradflow.analysis.layers import second_answer
from gradflow.analysis.other_entry import finder_elsewhere
from gradflow.analysis.result import Analysis, analyzed
from gradflow.analysis.safety import refuse_chosen
from gradflow.analysis.static import analyse_unloaded, read_file
from gradflow.analysis.static_graph import chosen, report_saved_model
from gradflow.diagnose import Evidence, OtherUse, find
from gradflow.diagnose.flow_map import draw_map
from gradflow.errors import GradflowError, InputError, NoWeightsError, UnreadableError, UnsafeError
from gradflow.files.freezing import LATE, FreezeDoubt
from gradflow.files.keras.byte_code import foreign_python, unlike_this
from gradflow.files.keras.opened import read_json
from gradflow.files.keras.reader import read_keras
from gradflow.files.model_file import ModelFile
from gradflow.files.saved_model.choose_entry import Choice, other_entries
from gradflow.files.saved_model.contents import Entry, SavedModelContents
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.findings import Format, Mode, Role, Verdict
from gradflow.flow.origins import source_finder
from gradflow.options import Objective, Options, refuse_entry, refuse_objective
from gradflow.progress import Progress
from gradflow.scan import Threat
from gradflow.tape.custom_ops import is_registered
from gradflow.tape.load.choose_loss import choose_saved_loss, why_unused
from gradflow.tape.load.error_messages import calls_lost_python, without_kernel
from gradflow.tape.load.keras2 import Keras2Model, load_older
from gradflow.tape.load.keras3 import Keras3Model, load_keras
from gradflow.tape.load.saved_model import NotLoadedError, SavedFunction, load_graph, other_device
from gradflow.tape.load.user_modules import import_modules
from gradflow.tape.loaded_model import Explanation, LoadedModel, Step
from gradflow.tape.tf1.graph_model import graph_model
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
_MADE_UP = "with targets that were made up, it brings zeros or NaN to some weights"
_OTHER_ENTRIES = 3
"""Entries of a SavedModel that are tried where the best one refuses every input."""


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
    if file.format is Format.SAVED_MODEL:
        return _analyse_saved_model(file, path, options, progress)
    return _analyse_keras(file, path, options, custom, progress)


def _analyse_keras(
    file: ModelFile, path: str, options: Options, custom: Mapping[str, Any], progress: Progress
) -> Analysis:
    refuse_entry(path, options)
    try:
        model = _load_keras(file, options, custom)
    except UnreadableError as refusal:
        return analyse_unloaded(file, path, options, refusal)
    except NoWeightsError:
        return read_file(file, path, options)
    file.refuse_change()
    file.close()

    def second(loaded: LoadedModel) -> Mapping[str, bool]:
        return second_answer(file, path, options, loaded.stored, is_of_loss=loaded.is_of_loss)

    return analyse_model(model, path, file.format, options, progress, second=second)


def _load_keras(file: ModelFile, options: Options, custom: Mapping[str, Any]) -> LoadedModel:
    """Load a Keras file with the Keras that can: Keras 3, else Keras 2 where that wrote it."""
    producer, freezers, doubts, has_weights = _recorded(file)
    training, trust = options.training, options.trust
    if trust:
        _refuse_foreign_code(file)
    try:
        model = load_keras(file, producer, custom, options.imports, trust=trust)
    except UnreadableError as refusal:
        older = load_older(file, producer, custom, options.imports, refusal, trust=trust)
        loss = choose_saved_loss(older, file, producer, custom, options)
        keras2 = Keras2Model(older, producer, training=training, loss=loss)
        keras2.doubts = tuple(doubt for doubt in doubts or () if doubt.kind in LATE)
        return keras2
    if has_weights and not model.variables:
        raise UnreadableError(f"{file.path}: {_UNBUILT}", _UNBUILT_HINT)
    return Keras3Model(
        model,
        producer,
        training=training,
        input_names=tuple(spec.name for spec in options.inputs),
        freezers=freezers,
        doubts=doubts,
        loss=choose_saved_loss(model, file, producer, custom, options),
    )


def _refuse_foreign_code(file: ModelFile) -> None:
    """Raise UnreadableError where another Python wrote the code that the file holds."""
    version = foreign_python(read_json(file).model)
    if version is not None:
        reason, hint = unlike_this(version)
        raise UnreadableError(f"{file.path}: {reason}", hint)


def _analyse_saved_model(
    file: ModelFile, path: str, options: Options, progress: Progress
) -> Analysis:
    """Step the entry that is asked for; where none is, and the best refuses its inputs, one that
    takes others."""
    refuse_objective(path, options)
    graphs = read_saved_model(file)
    loader = _Loader(file)
    several, options = each_entry(graphs, options)
    if several:
        return _analyse_all(file, path, loader, progress, several)
    contents, entry = chosen(graphs, path, options)

    def analyse(contents: SavedModelContents, entry: Entry | None) -> Analysis:
        return _analyse_entry(
            file, path, loader, progress, options=options, contents=contents, entry=entry
        )

    try:
        return analyse(contents, entry)
    except InputError:
        if entry is None or options.entry is not None or options.inputs:
            raise
        alternatives = other_entries(graphs, entry, training=options.training)
        for candidate in itertools.islice(alternatives, _OTHER_ENTRIES):
            with contextlib.suppress(GradflowError):
                return analyse(*candidate)
        raise


class _Loader:
    """Loads each graph of a SavedModel once."""

    def __init__(self, file: ModelFile) -> None:
        self._file = file
        self._loaded: dict[tuple[str, ...], Any] = {}

    def model(
        self, contents: SavedModelContents, entry: Entry, options: Options
    ) -> AbstractContextManager[LoadedModel]:
        """Load an entry with the TensorFlow that can run it: a graph of TensorFlow 1 in a
        session."""
        if entry.function is None:
            return graph_model(self._file.path, contents, entry, options.outputs, options.seed)
        if contents.tags not in self._loaded:
            self._loaded[contents.tags] = load_graph(self._file.path, contents, options.seed)
            self._file.refuse_change()
        return contextlib.nullcontext(SavedFunction(self._loaded[contents.tags], contents, entry))


def _analyse_all(
    file: ModelFile,
    path: str,
    loader: _Loader,
    progress: Progress,
    several: Sequence[tuple[Choice, Options]],
) -> Analysis:
    """Step each entry; one that cannot be run is read statically, unless none can."""
    analyses, refusals = [], []
    for (contents, entry), options in several:
        try:
            analyses.append(
                _analyse_entry(
                    file, path, loader, progress, options=options, contents=contents, entry=entry
                )
            )
        except (InputError, UnsafeError) as refusal:
            refusals.append(refusal)
            analyses.append(analyse_unloaded(file, path, options, refusal))
    if len(refusals) == len(several):
        raise refusals[0]
    return joined(analyses)


def _analyse_entry(
    file: ModelFile,
    path: str,
    loader: _Loader,
    progress: Progress,
    options: Options,
    contents: SavedModelContents,
    entry: Entry | None,
) -> Analysis:
    if entry is None or not any(stored.name in entry.uses for stored in contents.variables):
        # There is nothing that a tape could watch.
        return report_saved_model(path, contents, entry, options)
    if not options.trust:
        refuse_chosen(file, path, entry)
    elsewhere = finder_elsewhere(contents, entry, options)
    try:
        with loader.model(contents, entry, options) as model:
            return analyse_model(model, path, file.format, options, progress, elsewhere=elsewhere)
    except NotLoadedError as error:
        return analyse_unloaded(file, path, options, error)
    except InputError as error:
        op_type = without_kernel(error)
        if op_type is not None:
            return analyse_unloaded(
                file, path, replace(options, entry=entry.label), other_device(op_type)
            )
        if not calls_lost_python(error):
            raise
        hint = "give the model in memory to gradflow.inspect(model)"
        lost = NotLoadedError("it calls a Python function, which no file holds", hint)
        return analyse_unloaded(
            file, path, replace(options, entry=options.entry or entry.label), lost
        )


def analyse_model(
    model: LoadedModel,
    path: str,
    format: Format,
    options: Options,
    progress: Progress = lambda _: None,
    elsewhere: Callable[[str], OtherUse | None] = lambda _: None,
    second: Callable[[LoadedModel], Mapping[str, bool]] = lambda _: {},
) -> Analysis:
    """Step a loaded model and join what the step and the graph say.

    ``elsewhere`` finds the other entry of its file that uses a weight; ``second`` says of
    the loaded model what its file alone tells (``second_answer``).

    Raises:
        GradflowError: no batch is accepted, or an option does not fit the model.
    """
    if options.why is not None and not model.finds_untracked:
        # A typing error is told before the step.
        find(options.why, [stored.name for stored in model.stored])
    progress("step")
    begun = time.process_time()
    model, step = _stepped(model, options)
    model = model.with_watched(step.watched).with_state(options.state)
    explanation = model.explain(step, options, progress)
    graph = explanation.graph
    evidence = Evidence(
        variables=model.stored,
        measurements=explanation.measured,
        graph=graph,
        attributions=explanation.attributions,
        second=second(model),
        layer_of=model.layer_of(graph),
        owning_layers=model.owning_layers,
        sightings=explanation.sightings,
        raising=step.raising,
        cancelled=explanation.cancelled,
        epsilon=model.epsilon,
        has_running_statistics=model.has_running_statistics,
        selected=options.outputs,
        source_of=source_finder(graph),
        doubts=model.doubts,
        is_of_loss=model.is_of_loss,
        is_exported=format is Format.SAVED_MODEL,
        uncovered=explanation.uncovered,
        movers=explanation.movers,
        outputs=tuple(model.covered_outputs) if model.is_of_loss else step.outputs,
        elsewhere=elsewhere,
        trial=explanation.trial,
        thresholds=options.thresholds,
    )
    inputs = step.batch.described
    analysed = functools.partial(
        analyzed,
        path,
        format,
        Mode.TAPE,
        producer=model.producer,
        entry=model.entry,
        inputs=inputs,
        outputs=tuple(model.own_outputs) or step.outputs,
        objective=model.objective,
        unused_loss=model.unused_loss,
    )

    def drawn() -> Evidence:
        return _drawn(model, evidence, explanation)

    analysis = analysed(evidence, why=options.why, drawn=drawn() if options.map else None)
    variables = analysis.report.variables
    analysis = replace(analysis, draw=lambda: draw_map(drawn(), variables, inputs))
    if not options.follow:
        return analysis
    return replace(
        analysis,
        followed=followed(
            evidence,
            analysis,
            explanation.repair,
            lambda evidence, name: analysed(evidence, why=name),
            time.process_time() - begun,
        ),
    )


def _drawn(model: LoadedModel, evidence: Evidence, explanation: Explanation) -> Evidence:
    """Return what the map is drawn of, which is traced here where nothing else needed it."""
    graph = explanation.trace_map() if evidence.graph is None else evidence.graph
    return replace(
        evidence,
        graph=graph,
        layer_of=model.layer_of(graph),
        layers=model.model_layers(),
        viewer_ids=model.viewer_ids(),
    )


def _stepped(model: LoadedModel, options: Options) -> tuple[LoadedModel, Step]:
    """Step the model; with ``auto``, step its outputs where its loss cannot be stepped.

    Nobody knows the targets of a loss of the user's own: where it brings zeros or NaN to a weight
    that gets a gradient from the outputs, the targets that were drawn for it may be to blame.
    """
    is_given = bool(options.targets or options.sample_weights)
    is_asked = options.objective is Objective.COMPILED or is_given
    if not model.is_of_loss or is_asked:
        return model, model.step(options)
    try:
        step = model.step(options)
    except GradflowError as error:
        model = model.on_outputs(why_unused(error))
        return model, model.step(options)
    lost = _lost(step) if model.has_made_up_targets else set()
    if lost:
        objective = model.objective.removeprefix("compiled: ")
        outputs = model.on_outputs(f"{objective}: {_MADE_UP}")
        other = outputs.step(options)
        if lost - _lost(other):
            return outputs, other
    return model, step


def _lost(step: Step) -> set[str]:
    """Return the trainable weights that a step brings only zeros, NaN or Inf."""
    return {
        item.stored.name
        for item in step.watched
        if item.stored.trainable
        and item.stored.name in step.measured
        and step.measured[item.stored.name].verdict in (Verdict.ZERO, Verdict.NONFINITE)
    }


def _recorded(
    file: ModelFile,
) -> tuple[str | None, Mapping[str, str], tuple[FreezeDoubt, ...] | None, bool]:
    """Return who wrote a Keras file, the outermost layer that froze each weight, what is doubtful
    about that, and whether the file has weights.

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
    return contents.producer, frozen, contents.doubts_in_keras3, has_weights
