"""Explain zero, tiny and non-finite gradients of a step: step again, and replay it op by op."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from gradflow.diagnose import Sighting, Trial
from gradflow.errors import GradflowError, is_lack_of_memory
from gradflow.findings import Role, Verdict
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import FlowGraph, Mark
from gradflow.flow.measured import Arrived, as_it_ran, without_branches
from gradflow.flow.nearest import nearest_branch
from gradflow.options import Options
from gradflow.progress import Progress
from gradflow.tape.further_steps import alive
from gradflow.tape.gradient_registry import asked_in_vain
from gradflow.tape.lasting_zeros import judged
from gradflow.tape.loaded_model import CallableModel, Explanation, Step, Watched
from gradflow.tape.measure import largest_entry, measure
from gradflow.tape.random_drops import drawn_further
from gradflow.tape.repair import repair_tried
from gradflow.tape.replay.locate import Scene, Sightings, breaking
from gradflow.tape.replay.shift_invariance import cancelled
from gradflow.tape.replay.single_class import behind_single_class
from gradflow.tape.rounding_noise import Noise, rounding_noise
from gradflow.tape.step import step
from gradflow.tape.stepped import Measurements, Stepped
from gradflow.tape.trace import Trace, lower_trace
from gradflow.tape.versions import unchanged


def explain(model: CallableModel, step: Step, options: Options, progress: Progress) -> Explanation:
    """Find out where gradients of ``step`` that are missing, zero, tiny or not finite were lost.

    Raises:
        GradflowError: an option does not fit the model.
        MemoryError: there is too little memory to trace the call.
    """
    measured = step.measured
    noise = rounding_noise(model, measured, options.thresholds)
    is_asked = options.why is not None or model.has_stored_graph or noise.is_faint
    is_asked = is_asked or _needs_explanation(model.watched, measured)
    is_doubtful = is_asked or model.has_own_code or asked_in_vain()
    # What the report says does not depend on whether a map is asked for.
    if not is_doubtful:
        return Explanation(
            measured,
            cancelled=noise.explained,
            trace_map=lambda: _graph(model, step.batch.tensors, options.outputs)[0],
        )
    progress("trace")
    graph, traced = _graph(model, step.batch.tensors, options.outputs)
    is_needed = is_asked or (graph is not None and (graph.raising or _writes_weights(model, graph)))
    if graph is None or not is_needed:
        return Explanation(measured, cancelled=noise.explained, trace_map=lambda: graph)
    attributions = attribute(graph)
    stepped = Stepped(
        model=model,
        options=options,
        batch=step.batch.tensors,
        graph=graph,
        traced=traced,
        attributions=attributions,
    )
    measured = _probed_again(stepped, measured, progress)
    noise = rounding_noise(model, measured, options.thresholds)
    scene = _shared(stepped, progress)
    measured, sightings, more = _looked_into(stepped, measured, noise, scene)
    removers = {**more, **noise.explained}
    vanishing = [name for name in noise.tiny if name not in removers]
    measured = _largest_of_all(stepped, measured, vanishing)
    uncovered = _uncovered(model, step.batch.tensors, attributions)
    stepped = replace(stepped, attributions=_as_it_ran(stepped, scene))
    trial, attributions = repair_tried(stepped, sightings, progress)
    return Explanation(
        measured=measured,
        graph=graph,
        attributions=attributions,
        sightings=sightings,
        cancelled=removers,
        uncovered=uncovered,
        trial=trial,
        repair=lambda name: _repair(stepped, sightings, name),
    )


def _repair(
    stepped: Stepped, sightings: Sightings, name: str
) -> tuple[Trial | None, Mapping[str, Attribution]]:
    variables = [item.variable for item in stepped.model.watched if item.variable is not None]
    following = replace(stepped, options=replace(stepped.options, why=name))
    with unchanged(variables):
        return repair_tried(following, sightings, lambda _: None)


def _shared(stepped: Stepped, progress: Progress) -> Callable[[], Scene | None]:
    """Return a function that runs the step op by op when it is first asked to."""

    @cache
    def scene() -> Scene | None:
        progress("replay")
        return stepped.scene()

    return scene


def _as_it_ran(stepped: Stepped, scene: Callable[[], Scene | None]) -> Mapping[str, Attribution]:
    """Return the attributions, for weights that are cut by the ways on which the run brought their
    data.

    A cut that was run and whose data goes into a branch that was not is none to mend; one inside of
    such a branch stays a cause, for other inputs meet it.
    """
    attributions, graph = stepped.attributions, stepped.graph
    names = _depending_on_the_run(graph, attributions)
    if not names:
        return attributions
    seen = scene()
    if seen is None:
        return attributions
    ran = attribute(as_it_ran(graph, seen.graph, seen.arrivals))
    was_run = {
        name
        for name, arrived in zip(seen.graph.names, seen.arrivals.nodes, strict=True)
        if arrived & Arrived.RUN
    }
    narrowed = {}
    for name in names:
        if ran[name].cuts_to_restore:
            elsewhere = [
                cut
                for cut in attributions[name].causes
                if cut not in ran[name].causes and graph.names[cut.node] not in was_run
            ]
            narrowed[name] = replace(ran[name], causes=(*ran[name].causes, *elsewhere))
    return {**attributions, **narrowed}


def _depending_on_the_run(graph: FlowGraph, attributions: Mapping[str, Attribution]) -> list[str]:
    """Return the weights that are cut, and whose cuts depend on which branches are taken."""
    cut = {name: item for name, item in attributions.items() if item.causes}
    if not cut or not any(mark & Mark.GATE for mark in graph.marks):
        return []
    always = attribute(without_branches(graph))
    return [
        name
        for name, item in cut.items()
        if len(item.causes) > 1 or always[name].cuts_to_restore != item.cuts_to_restore
    ]


def _uncovered(
    model: CallableModel, batch: Sequence[Any], attributions: Mapping[str, Attribution]
) -> Mapping[str, tuple[str, ...]]:
    """Return the outputs without a loss, for each weight that leads to them and not to the loss."""
    missing = [
        item.stored.name
        for item in model.watched
        if item.stored.role is Role.WEIGHT
        and (
            item.stored.name not in attributions
            or attributions[item.stored.name].cuts_to_restore is None
        )
    ]
    if not missing or not model.uncovered:
        return {}
    try:
        traced = model.trace_outputs(batch)
    except Exception as error:  # as above: the model's own code runs; its loss could be traced
        if is_lack_of_memory(error):
            raise MemoryError from error
        return {}
    outputs: dict[str, list[str]] = {}
    for output in model.uncovered:
        ways = attribute(lower_trace(traced, model.handles, (output,)))
        for name in missing:
            if name in ways and ways[name].cuts_to_restore is not None:
                outputs.setdefault(name, []).append(output)
    return {name: tuple(leading) for name, leading in outputs.items()}


def larger(measured: Measurements, probed: Measurements) -> Measurements:
    """``measured``, with those of ``probed`` whose gradient is larger."""
    grown = {
        name: measurement
        for name, measurement in probed.items()
        if largest_entry(measurement) > largest_entry(measured[name])
    }
    return {**measured, **grown}


def _writes_weights(model: CallableModel, graph: FlowGraph) -> bool:
    """Whether the call assigns a trainable weight."""
    written = {assignment.variable for assignment in graph.assignments}
    return any(
        graph.variables.get(item.stored.name) in written
        for item in model.watched
        if item.stored.role is Role.WEIGHT and item.stored.trainable
    )


def _needs_explanation(watched: Sequence[Watched], measured: Measurements) -> bool:
    """Tracing a Keras model costs a sixth of the whole run: only where some weight's gradient is
    missing."""
    weights = [item.stored.name for item in watched if item.stored.role is Role.WEIGHT]
    return any(
        name not in measured or measured[name].verdict is not Verdict.FLOWS for name in weights
    )


def _graph(
    model: CallableModel, batch: Sequence[Any], outputs: Sequence[str]
) -> tuple[FlowGraph | None, Trace | None]:
    """Return the graph of the call that was stepped, and its trace where there had to be one.

    Both None where its code runs eagerly and cannot be traced.
    """
    if model.has_stored_graph:
        return model.stored_graph(outputs), None
    try:
        traced = model.trace(batch)
    except GradflowError:
        raise
    except Exception as error:  # tracing runs the model's own code, which can raise anything at all
        if is_lack_of_memory(error):
            raise MemoryError from error
        return None, None
    # A frozen layer does not tell TensorFlow: a tape watches its weights all the same.
    weights = {item.stored.name for item in model.watched if item.stored.role is Role.WEIGHT}
    return lower_trace(traced, model.handles, outputs, trained=weights), traced


def _probed_again(stepped: Stepped, measured: Measurements, progress: Progress) -> Measurements:
    """Draw other batches before a weight is called dead: a narrow ReLU can be off for all of one
    small batch.

    Only where a path flows that leads through no branch: of a branch not taken for this input, the
    zero is the answer.
    """
    branches = nearest_branch(stepped.graph)
    for number in range(1, stepped.options.draws):
        dead = [
            name
            for name in stepped.reaching(measured, Verdict.ZERO)
            if branches.node(stepped.attributions[name]) is None
        ]
        if not dead:
            break
        progress("step")
        probed = stepped.probe(number)
        revived = alive({name: measured[name] for name in dead}, probed)
        measured = {**measured, **{name: probed[name] for name in revived}}
    return measured


def _largest_of_all(stepped: Stepped, measured: Measurements, names: Sequence[str]) -> Measurements:
    """Draw other batches before a gradient is called vanishing: what one batch leaves near nothing,
    another may not."""
    for number in range(1, stepped.options.draws if names else 1):
        probed = stepped.probe(number)
        measured = larger(measured, {name: probed[name] for name in names})
    return measured


def _looked_into(
    stepped: Stepped,
    measured: Measurements,
    noise: Noise,
    run_by_op: Callable[[], Scene | None],
) -> tuple[Measurements, Mapping[str, tuple[Sighting, ...]], Mapping[str, str]]:
    """See where gradients die on ways that flow in the graph, where they become NaN or Inf, and
    where they cancel.

    What is measured comes back too: the run is another draw of dropout, in which a tiny gradient
    can be an ordinary one (a block of EfficientNet that was dropped as a whole).
    """
    zero, nonfinite = (
        stepped.reaching(measured, verdict) for verdict in (Verdict.ZERO, Verdict.NONFINITE)
    )
    # Run eagerly, a branch not taken leaves None in place of zeros.
    missing = stepped.reaching(measured, Verdict.NONE)
    if not zero and not nonfinite and not noise.is_faint and not missing:
        return measured, {}, {}
    model, scene = stepped.model, run_by_op()
    if scene is None:
        return measured, {}, {}
    removers = {
        **cancelled(scene.trail, (*noise.small, *zero), model.epsilon),
        **behind_single_class(scene.trail, noise.small),
    }
    measured, deaths = drawn_further(stepped, measured, scene, [*zero, *missing])
    sightings = {name: deaths[name] for name in missing if name in deaths}
    zero_deaths = {name: deaths[name] for name in zero if name in deaths}
    if zero_deaths:
        more, told = judged(
            partial(step, model, stepped.options),
            model.watched,
            measured,
            zero_deaths,
            removers=removers,
            epsilon=model.epsilon,
        )
        measured = {**measured, **more}
        sightings.update(told)
    drawn = {name: measure(scene.trail.gradient_of(name)) for name in noise.tiny}
    return larger(measured, drawn), {**sightings, **breaking(scene, nonfinite)}, removers
