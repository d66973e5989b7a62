"""Conclude from the record of a training step what it does for each weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradflow.analysis.step_calls import Group, Scene, Step, as_meant, groups_of, takes_part
from gradflow.analysis.step_findings import applied, not_yet_trained, still_trained, unasked
from gradflow.catalogue import entry
from gradflow.diagnose import Evidence, Measurement, Mover, diagnose
from gradflow.diagnose.flow_map import draw_map
from gradflow.diagnose.joined_map import joined_map
from gradflow.diagnose.where import owner_of
from gradflow.findings import (
    Cause,
    Finding,
    FlowMap,
    Format,
    Mode,
    ModelReport,
    Role,
    Status,
    Tool,
    Variable,
    Verdict,
    summarize,
)
from gradflow.flow.attribute import attribute
from gradflow.flow.layer_scopes import layer_finder, variable_layers
from gradflow.flow.nearest import nearest_end
from gradflow.flow.origins import noted_layer_finder, source_finder
from gradflow.lazy_dataclass import dataclass
from gradflow.tape.versions import tool
from gradflow.tape.watching.call_graphs import left_scene
from gradflow.tape.watching.gradient_calls import Application
from gradflow.tape.watching.recorder import Record, most_telling
from gradflow.tape.watching.rerun import NotKnownError, look_again
from gradflow.tape.watching.variables import Weight
from gradflow.text import first_few

_LEAVES = "leaves TensorFlow as a number or an array, and no other way leads to the loss"
_STAY = "compute the loss of tensors: without float(), numpy() and tf.numpy_function"
_OF_NO_GRAPH = ("GF208", "GF303")
_WITHOUT_WAY = ("GF206", "GF208")
_WHY_ZERO = "at which op gradients become zero"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a step does."""

    tool: Tool
    model: ModelReport
    moved: Mapping[str, bool | None]
    """Whether it changed each variable, by name; None where that is not known."""


def conclude(
    record: Record, weights: Sequence[Weight], name: str, *, with_map: bool = False
) -> Conclusion:
    """Conclude what a step does for each weight.

    Args:
        record: what was seen of it; nothing is recorded any more.
        weights: the variables that it has to do with.
        name: what the report calls it.
        with_map: draw the map of gradient flow too, from the graphs of all gradient calls.
    """
    for application in record.applications:
        application.measure()
    if not record.obstacles:
        record.obstacles += _not_run(record)
    weights = [as_meant(record, weight) for weight in weights]
    step = Step(record, weights)
    step.names = {handle: weight.stored.name for weight in weights for handle in weight.handles}
    step.weights = [weight for weight in weights if takes_part(step, weight)]
    step.moved = {weight.stored.name: _moved(record, weight) for weight in step.weights}
    variables: dict[str, Variable] = {}
    findings: list[Finding] = []
    groups = list(groups_of(step))
    for group in groups:
        more, notes = _diagnosed(step, group)
        variables.update({variable.name: variable for variable in more})
        findings += notes
    findings += not_yet_trained(step, variables)
    findings += applied(step, variables)
    findings += still_trained(step, variables)
    ordered = tuple(variables[weight.stored.name] for weight in step.weights)
    told = [_of_whole_step(finding, ordered) for finding in findings]
    report = ModelReport(
        path=name,
        format=Format.MEMORY,
        producer=None,
        entry=_described(record),
        objective="the loss of the step",
        mode=Mode.TAPE,
        status=Status.ANALYZED,
        error=None,
        inputs=(),
        outputs=(),
        variables=ordered,
        findings=tuple(_joined(told, is_eager=not record.is_in_graph)),
        expectations=(),
        summary=summarize(ordered),
        map=_map(step, groups, variables) if with_map else None,
    )
    return Conclusion(tool(), report, step.moved)


def _not_run(record: Record) -> Iterator[str]:
    """Yield which gradient calls of a trace were not run."""
    for call in record.calls:
        if call.graph is not None and call.asked and not any(call.asked.values()):
            yield f"a branch that was not taken, with a gradient call ({call.source})"


def _moved(record: Record, weight: Weight) -> bool | None:
    answers = [record.before.moved(handle) for handle in weight.handles]
    return None if None in answers else any(answers)


def _diagnosed(step: Step, group: Group) -> tuple[list[Variable], list[Finding]]:
    stored = tuple(weight.stored for weight in group.weights)
    measured: dict[str, Measurement] = {}
    if group.call is not None and group.is_asked:
        for weight in group.weights:
            brought = step.measured(group.call, weight)
            if brought:
                measured[weight.stored.name] = most_telling(brought)
    needs_graph = group.call is not None and (
        not group.is_asked
        or any(
            name not in measured or measured[name].verdict is not Verdict.FLOWS
            for name in (item.name for item in stored)
        )
    )
    scene = step.scene(group.call) if needs_graph and group.call is not None else None
    is_measured = group.call is not None and group.is_asked and len(measured) == len(stored)
    evidence = _evidence(stored, scene, measured if is_measured else None)
    if is_measured:
        evidence = replace(evidence, movers=_movers(step, group, measured))
        evidence = _seen_again(step, group, evidence)
    variables, findings = diagnose(evidence)
    if needs_graph and scene is None and _is_hidden(step, group.call):
        # Why no gradient arrives is not known, and nothing may be claimed.
        variables = tuple(replace(variable, causes=()) for variable in variables)
        findings = tuple(finding for finding in findings if finding.code not in _OF_NO_GRAPH)
    elif group.call is not None:
        variables, findings = _taken_out(step, group.call, variables, findings)
    if group.is_asked:
        if not is_measured and group.call is not None:
            variables = tuple(_by_movement(step, variable) for variable in variables)
        return list(variables), list(findings)
    return unasked(step, variables, findings)


def _seen_again(step: Step, group: Group, evidence: Evidence) -> Evidence:
    """Return the evidence with the ops at which gradients were lost on ways that the graph leaves
    open, as the step shows when it is run again."""
    scene = None if group.call is None else step.scenes.get(group.call)
    reaching = {
        name: measurement
        for name, measurement in (evidence.measurements or {}).items()
        if measurement.verdict in (Verdict.ZERO, Verdict.NONFINITE)
        and scene is not None
        and name in scene.ways
        and scene.ways[name].cuts_to_restore == 0
    }
    if scene is None or group.call is None or not reaching:
        return evidence
    call = step.record.calls[group.call]
    try:
        seen = look_again(
            step.record,
            call,
            scene.graph,
            weights=step.weights,
            reaching=reaching,
            layer_of=evidence.layer_of,
        )
    except NotKnownError as reason:
        step.record.obstacles.append(f"{_WHY_ZERO}: {reason}")
        return evidence
    return replace(evidence, sightings=seen.sightings, cancelled=seen.cancelled)


def _movers(step: Step, group: Group, measured: Mapping[str, Measurement]) -> Mapping[str, Mover]:
    """Return what moves each weight that changed without a gradient."""
    return {
        name: Mover.OPTIMIZER if verdict is Verdict.ZERO and step.given(weight) else Mover.ASSIGNED
        for weight in group.weights
        if step.moved[name := weight.stored.name]
        and (verdict := measured[name].verdict) in (Verdict.NONE, Verdict.ZERO)
    }


def _evidence(
    stored: Sequence[Any],
    scene: Scene | None,
    measured: Mapping[str, Measurement] | None,
) -> Evidence:
    graph = None if scene is None else scene.graph.flow
    names = graph.names if graph is not None else ()
    owners = variable_layers(item.layer for item in stored)
    return Evidence(
        variables=tuple(stored),
        measurements=measured,
        graph=graph,
        attributions={} if scene is None else scene.ways,
        layer_of=noted_layer_finder(graph, layer_finder(names, owners, complete=True)),
        source_of=source_finder(graph),
        is_of_step=True,
    )


def _map(step: Step, groups: Sequence[Group], variables: Mapping[str, Variable]) -> FlowMap | None:
    """Return the map of all gradient calls that speak for a weight; None where they do not fit
    together."""
    by_call: dict[int | None, list[Weight]] = {}
    for group in groups:
        by_call.setdefault(group.call, []).extend(group.weights)
    maps = []
    for number, weights in by_call.items():
        stored = [weight.stored for weight in weights]
        scene = None if number is None else step.scene(number)
        concluded = [variables[item.name] for item in stored]
        maps.append(draw_map(_evidence(stored, scene, None), concluded, ()))
    ordered = [variables[weight.stored.name] for weight in step.weights]
    return maps[0] if len(maps) == 1 else joined_map(maps, ordered)


def _is_hidden(step: Step, number: int | None) -> bool:
    """Return whether the graph of a call is not known, where there is one."""
    if number is None:
        return False
    call = step.record.calls[number]
    return bool(call.targets) or call.is_partial


def _taken_out(
    step: Step, call: int, variables: Sequence[Variable], findings: Sequence[Finding]
) -> tuple[tuple[Variable, ...], tuple[Finding, ...]]:
    """Say of weights without a way to the loss where their values leave TensorFlow, if they do."""
    item = entry("GF208")
    lost = {
        variable.name
        for variable in variables
        if variable.verdict is Verdict.NONE
        and variable.causes
        and all(cause.op is None and cause.code in _WITHOUT_WAY for cause in variable.causes)
    }
    graph = left_scene(step.record, step.record.calls[call], step.names) if lost else None
    if graph is None:
        return tuple(variables), tuple(findings)
    source_of, ways, ends = source_finder(graph), attribute(graph), nearest_end()
    behind: dict[Cause, list[str]] = {}
    for name in lost:
        way = ways.get(name)
        node = None if way is None else ends.node(way)
        if node is not None:
            cause = item.cause(
                op=graph.names[node], op_type=graph.ops[node], source=source_of(node)
            )
            behind.setdefault(cause, []).append(name)
    by_name = {name: cause for cause, names in behind.items() for name in names}
    told = [
        replace(finding, variables=left)
        for finding in findings
        if (left := tuple(name for name in finding.variables if name not in by_name))
    ]
    order = [variable.name for variable in variables]
    for cause, names in behind.items():
        message = f"{cause.op_type} {cause.op!r} {_LEAVES}"
        told.append(item.finding(message, sorted(names, key=order.index), cause, hint=_STAY))
    return (
        tuple(
            replace(variable, causes=(by_name[variable.name],))
            if variable.name in by_name
            else variable
            for variable in variables
        ),
        tuple(told),
    )


def _by_movement(step: Step, variable: Variable) -> Variable:
    """Return what is known of a weight whose gradient could not be measured: where the graph leads
    a gradient to it and the step did not change it, that may have been zero."""
    if variable.verdict is Verdict.FLOWS and not step.moved.get(variable.name):
        return replace(variable, verdict=Verdict.UNKNOWN, cuts_to_restore=None)
    return variable


def _of_whole_step(finding: Finding, variables: Sequence[Variable]) -> Finding:
    """Return a finding about the weights of one gradient call as one about those of all calls."""
    if finding.reach is None:
        return finding
    weights = [variable for variable in variables if variable.role is Role.WEIGHT]
    reach = replace(
        finding.reach,
        all_layers=len({owner_of(variable) for variable in weights}),
        all_parameters=sum(variable.parameters for variable in weights),
    )
    return replace(finding, reach=reach)


def _joined(findings: Iterable[Finding], *, is_eager: bool) -> Iterator[Finding]:
    """Yield findings, those with the same words and cause as one.

    A loop that runs eagerly makes an op anew in each turn: those of one line of the user's are
    told once.
    """
    alike: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        cause = finding.cause
        key: tuple[object, ...] = (finding.code, finding.severity, finding.message, cause)
        if is_eager and cause is not None and cause.source is not None:
            key = (*key[:2], cause.op_type, cause.layer, cause.source, finding.variables)
        if key in alike:
            names = dict.fromkeys((*alike[key].variables, *finding.variables))
            alike[key] = replace(alike[key], variables=tuple(names))
        else:
            alike[key] = finding
    yield from alike.values()


def _described(record: Record) -> str:
    """Say what the step asked for and who applied it, and where the causes come from."""
    calls = record.calls
    places = list(dict.fromkeys(call.source for call in calls if call.source))
    at = f" ({first_few(places)})" if places else ""
    parts = [f"{len(calls)} gradient {'call' if len(calls) == 1 else 'calls'}{at}"]
    parts += [
        f"{application.optimizer} got {len(application.given):,} "
        f"{'weight' if len(application.given) == 1 else 'weights'}"
        for application in _each_once(record.applications)
    ]
    if not record.applications:
        parts.append("no optimizer was called")
    parts.append(
        "causes from the graph that the step was traced to"
        if record.is_in_graph
        else "causes from the ops as they ran eagerly"
    )
    if record.further_calls:
        parts.append(f"{record.further_calls:,} more calls of the same function not looked into")
    if record.draws_anew:
        parts.append("random numbers drawn anew")
    parts += [f"not looked into: {obstacle}" for obstacle in dict.fromkeys(record.obstacles)]
    return ", ".join(parts)


def _each_once(applications: Sequence[Application]) -> Iterator[Application]:
    seen = set()
    for application in applications:
        key = application.optimizer, tuple(application.given)
        if key not in seen:
            seen.add(key)
            yield application
