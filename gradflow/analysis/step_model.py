"""Step a loaded model, and join what the step and its graph say."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from gradflow.analysis.followed import followed
from gradflow.analysis.result import Analysis, analyzed
from gradflow.diagnose import Evidence, OtherUse, find
from gradflow.diagnose.flow_map import draw_map
from gradflow.errors import GradflowError
from gradflow.findings import Format, Mode, Verdict
from gradflow.flow.origins import source_finder
from gradflow.options import Objective, Options
from gradflow.progress import Progress
from gradflow.tape.load.choose_loss import why_unused
from gradflow.tape.loaded_model import Explanation, LoadedModel, Step

_MADE_UP = "with targets that were made up, it brings zeros or NaN to some weights"


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
