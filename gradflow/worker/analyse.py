"""A model in, its analysis out, in the process that has TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradflow.diagnose import Evidence, Measurement, Sighting, find, leads_through_branch, outliers
from gradflow.errors import GradflowError, UnreadableError
from gradflow.files.contents import ModelFile
from gradflow.files.doubts import FreezeDoubt
from gradflow.files.keras_files import read_keras
from gradflow.files.recognise import recognise
from gradflow.files.saved_model import choose_entry, read_saved_model
from gradflow.findings import Format, Mode, Role, Verdict
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import FlowGraph
from gradflow.flow.origins import source_finder
from gradflow.options import Options
from gradflow.tape.cancelled import BATCH_NORMALIZATION, cancelled
from gradflow.tape.imports import import_modules
from gradflow.tape.keras_model import keras_subject, load_keras
from gradflow.tape.redraw import LOSS_SCALE, awakened, underflowing
from gradflow.tape.registry import without_lookup_errors
from gradflow.tape.runtime import seed_everything
from gradflow.tape.saved_model import saved_model_subject
from gradflow.tape.sight import breaking, dying, look
from gradflow.tape.step import step
from gradflow.tape.subject import Subject
from gradflow.tape.trace import Trace, lower_trace
from gradflow.worker.outcome import Analysis, Progress, analyzed
from gradflow.worker.read import refuse_entry, report_saved_model

_UNDERFLOWS = f"loses it in float16, which has no number so small: with a loss scale of {LOSS_SCALE:.0f} it arrives"


def analyse_file(path: str, options: Options, progress: Progress = lambda _: None) -> Analysis:
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
        producer, freezers, doubts = _recorded(file)
        model = load_keras(file, producer, custom)
        subject = keras_subject(model, producer, options.training, names, freezers, doubts)
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
) -> Analysis:
    """Step a loaded model and join what tape and graph say.

    Raises:
        GradflowError: no batch is accepted, or an option does not fit the model.
    """
    if options.why is not None and subject.describe is None:
        find(options.why, [item.stored.name for item in subject.watched])  # a typing error is told before the step
    progress("step")
    subject, batch, outputs, first = step(subject, options)
    measured: Mapping[str, Measurement] = first
    stored = tuple(item.stored for item in subject.watched)
    removed, tiny = _tiny(subject, measured)
    graph: FlowGraph | None = None
    traced: Trace | None = None
    is_explained = options.why is not None or format is Format.SAVED_MODEL or bool(tiny)
    if is_explained or _needs_explanation(subject, measured):
        progress("trace")
        graph, traced = _graph(subject, batch.tensors, options.outputs)
    attributions = _attribute(graph, measured) if graph is not None else {}
    sightings: Mapping[str, tuple[Sighting, ...]] = {}
    if graph is not None:
        measured = _probed_again(subject, options, graph, attributions, measured, progress)
        sightings, more = _seen(subject, traced, batch.tensors, options, attributions, measured, tiny, progress)
        removed = {**removed, **more}
    evidence = Evidence(
        stored,
        measured,
        graph,
        attributions,
        subject.layer_of(graph),
        sightings,
        removed,
        subject.epsilon,
        options.outputs,
        source_finder(graph),
        subject.doubts,
    )
    producer, inputs = subject.producer, batch.described
    return analyzed(path, format, producer, subject.entry, Mode.TAPE, evidence, inputs, outputs, options.why)


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
    for probe in range(1, options.probes):
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
        _, _, _, again = step(subject, replace(options, seed=options.seed + probe))
        alive = {name: again[name] for name in dead if again[name].verdict is Verdict.FLOWS}
        measured = {**measured, **alive}
    return measured


def _tiny(subject: Subject, measured: Mapping[str, Measurement]) -> tuple[Mapping[str, str], Sequence[str]]:
    """The weights whose gradient may be rounding noise: those that the layers explain, and the others."""
    names = [item.stored.name for item in subject.watched if item.stored.role is Role.WEIGHT and item.stored.trainable]
    found = [one.name for one in outliers(measured, names, subject.epsilon) if one.ratio < 1]
    shifted = set(subject.shifted()) if found else set()
    explained = {name: BATCH_NORMALIZATION for name in found if name in shifted}
    return explained, [name for name in found if name not in shifted]


def _seen(
    subject: Subject,
    traced: Trace | None,
    batch: Sequence[Any],
    options: Options,
    attributions: Mapping[str, Attribution],
    measured: Mapping[str, Measurement],
    tiny: Sequence[str],
    progress: Progress,
) -> tuple[Mapping[str, tuple[Sighting, ...]], Mapping[str, str]]:
    """See where gradients die on ways that flow in the graph, where they become NaN or Inf, and where they cancel."""
    verdicts: dict[Verdict, list[str]] = {Verdict.ZERO: [], Verdict.NONFINITE: []}
    for item in subject.watched:
        found = attributions.get(item.stored.name)
        if item.stored.role is Role.WEIGHT and found is not None and found.cuts_to_restore == 0:
            verdicts.setdefault(measured[item.stored.name].verdict, []).append(item.stored.name)
    zero, nonfinite = verdicts[Verdict.ZERO], verdicts[Verdict.NONFINITE]
    if not zero and not nonfinite and not tiny:
        return {}, {}
    progress("replay")
    whole = subject.trace(batch) if traced is None else traced
    scene = without_lookup_errors(lambda: look(subject, whole, batch, options), subject.lost_gradients)
    if scene is None:
        return {}, {}
    awake = awakened(subject, options, measured) if zero else frozenset()
    tiny_zeros = underflowing(subject, options, measured) if zero else frozenset()
    removed = cancelled(scene.trail, (*tiny, *zero), subject.epsilon)
    harmless = awake.union(removed)
    sightings = {
        name: tuple(
            replace(one, detail=_UNDERFLOWS) if name in tiny_zeros else replace(one, harmless=name in harmless)
            for one in seen
        )
        for name, seen in dying(scene, zero).items()
    }
    return {**sightings, **breaking(scene, nonfinite)}, removed


def _graph(subject: Subject, batch: Sequence[Any], outputs: Sequence[str]) -> tuple[FlowGraph | None, Trace | None]:
    """The graph of the call that was stepped, and its trace where there had to be one.

    Both None where its code runs eagerly and cannot be traced.
    """
    if subject.stored_graph is not None:
        return subject.stored_graph(outputs), None
    try:
        traced = subject.trace(batch)
    except GradflowError:
        raise
    except Exception:  # tracing runs the model's own code, which can raise anything at all
        return None, None
    return lower_trace(traced, subject.handles, outputs), traced


def _attribute(graph: FlowGraph, measured: Mapping[str, Measurement]) -> Mapping[str, Attribution]:
    """Attribute; where the tape gives None on a way that flows, a custom gradient may have returned it.

    What a custom gradient returns is Python code that the graph does not hold, so here the tape has the word.
    """
    found = attribute(graph)
    doubtful = [
        name
        for name, measurement in measured.items()
        if measurement.verdict is Verdict.NONE and name in found and found[name].cuts_to_restore == 0
    ]
    if not doubtful:
        return found
    stricter = attribute(graph.without_custom_gradients())
    return {**found, **{name: stricter[name] for name in doubtful}}


def _recorded(file: ModelFile) -> tuple[str | None, Mapping[str, str], tuple[FreezeDoubt, ...] | None]:
    """Who wrote a Keras file, the outermost layer that froze each weight, and what is doubtful about that.

    A Sequential that is loaded forgets its own flag, though its layers keep theirs (Keras 3.15): the file knows.
    """
    try:
        contents = read_keras(file)
    except UnreadableError:
        return None, {}, None  # Keras may still be able to load it
    frozen = {variable.name: variable.frozen_by for variable in contents.variables if variable.frozen_by is not None}
    return contents.producer, frozen, contents.doubts


def _needs_explanation(subject: Subject, measured: Mapping[str, Measurement]) -> bool:
    """Tracing a Keras model costs a sixth of the whole run: only where some weight's gradient is missing."""
    return any(
        item.stored.role is Role.WEIGHT
        and (item.stored.name not in measured or measured[item.stored.name].verdict is not Verdict.FLOWS)
        for item in subject.watched
    )
