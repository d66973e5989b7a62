"""Conclude from the record of a training step what it does for each weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from gradflow.catalogue import CodeEntry, entry
from gradflow.diagnose import Evidence, Measurement, Mover, diagnose
from gradflow.diagnose.flow_map import draw_map
from gradflow.diagnose.joined_map import joined_map
from gradflow.diagnose.where import owner_of
from gradflow.files.freezing import Doubt, FreezeDoubt
from gradflow.findings import (
    Cause,
    Confidence,
    Finding,
    FlowMap,
    Format,
    Mode,
    ModelReport,
    Role,
    Severity,
    Status,
    Tool,
    Variable,
    Verdict,
    summarize,
)
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.layer_scopes import layer_finder, variable_layers
from gradflow.flow.nearest import nearest_end
from gradflow.flow.origins import noted_layer_finder, source_finder
from gradflow.lazy_dataclass import dataclass
from gradflow.tape.versions import tool
from gradflow.tape.watching.again import NotKnownError, look_again
from gradflow.tape.watching.gradient_calls import Application
from gradflow.tape.watching.recorder import Record, most_telling
from gradflow.tape.watching.scenes import CallGraph, left_scene, scene_of
from gradflow.tape.watching.variables import Weight
from gradflow.text import first_few

_NOT_ASKED = "no gradient call of the step names {who}, so that no optimizer can update {them}"
_NO_CALLS = "the step computes no gradient, so that no optimizer can update {who}"
_ASSIGNED = "no gradient call of the step names {who}: an assignment changes {them}"
_NOT_APPLIED = "a gradient arrived at {who}, and no optimizer got it"
_LEAVES = "leaves TensorFlow as a number or an array, and no other way leads to the loss"
_STAY = "compute the loss of tensors: without float(), numpy() and tf.numpy_function"
_OF_NO_GRAPH = ("GF208", "GF303")
_WITHOUT_WAY = ("GF206", "GF208")
_WHY_ZERO = "at which op gradients become zero"
_HANDS_OVER = "the optimizer was given {what} for {who}, where a gradient arrived"
_TRACED_BEFORE = (
    "the step was traced before {who} became trainable: no gradient call in it names {them}"
)
_COMPILE_AGAIN = "compile the model again after trainable is set, or call tf.function anew"
_DRAWN_ANEW = (
    "the step did not change {who}: with other random numbers, a gradient arrives at {them}"
)
_NOT_CHANGED = "a gradient arrived at {who}, an optimizer got it and did not change {them}"


@dataclass(frozen=True, slots=True)
class _Scene:
    """The graph of a gradient call, and what it says of the weights."""

    graph: CallGraph
    ways: Mapping[str, Attribution]


@dataclass(slots=True)
class _Step:
    """A record, with what was asked about each of its weights."""

    record: Record
    weights: Sequence[Weight]
    scenes: dict[int, _Scene | None] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    moved: dict[str, bool | None] = field(default_factory=dict)

    def scene(self, number: int) -> _Scene | None:
        """Return the graph of a gradient call, and what it says of the weights."""
        if number not in self.scenes:
            graph = scene_of(self.record, self.record.calls[number], self.names)
            self.scenes[number] = None if graph is None else _Scene(graph, attribute(graph.flow))
        return self.scenes[number]

    def asking(self, weight: Weight) -> list[int]:
        """Return the numbers of the gradient calls that named a weight."""
        return [
            number
            for number, call in enumerate(self.record.calls)
            if any(handle in call.asked for handle in weight.handles)
        ]

    def measured(self, number: int, weight: Weight) -> list[Measurement]:
        """Return what a gradient call brought for a weight, in each run and replica."""
        asked = self.record.calls[number].asked
        return [item for handle in weight.handles for item in asked.get(handle, ())]

    def given(self, weight: Weight) -> list[Application]:
        """Return the applications that an optimizer was given the weight in."""
        return [
            application
            for application in self.record.applications
            if any(handle in application.given for handle in weight.handles)
        ]


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
    weights = [_as_meant(record, weight) for weight in weights]
    step = _Step(record, weights)
    step.names = {handle: weight.stored.name for weight in weights for handle in weight.handles}
    step.weights = [weight for weight in weights if _takes_part(step, weight)]
    step.moved = {weight.stored.name: _moved(record, weight) for weight in step.weights}
    variables: dict[str, Variable] = {}
    findings: list[Finding] = []
    groups = list(_groups(step))
    for group in groups:
        more, notes = _diagnosed(step, group)
        variables.update({variable.name: variable for variable in more})
        findings += notes
    findings += _not_yet_trained(step, variables)
    findings += _applied(step, variables)
    findings += _still_trained(step, variables)
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


def _as_meant(record: Record, weight: Weight) -> Weight:
    """Return a plain variable that the step asks a gradient for as one that is to be trained,
    whatever it was made as; a frozen weight of Keras stays frozen."""
    stored = weight.stored
    named = {number for call in record.calls for number in call.asked}
    is_asked = not named.isdisjoint(weight.handles)
    if stored.role is Role.STATE or stored.trainable or weight.is_of_keras or not is_asked:
        return weight
    return replace(weight, stored=replace(stored, trainable=True))


def _takes_part(step: _Step, weight: Weight) -> bool:
    """Return whether a variable belongs to what is trained: one that the step only reads, as the
    sums of a metric are, leads to no loss."""
    if weight.is_owned or step.asking(weight) or step.given(weight) or step.record.hides_calls:
        return True
    numbers = range(len(step.record.calls))
    ways = (scene.ways.get(weight.stored.name) for scene in map(step.scene, numbers) if scene)
    return any(way is not None and way.cuts_to_restore is not None for way in ways)


def _moved(record: Record, weight: Weight) -> bool | None:
    answers = [record.before.moved(handle) for handle in weight.handles]
    return None if None in answers else any(answers)


@dataclass(frozen=True, slots=True)
class _Group:
    """Weights that one gradient call speaks for."""

    call: int | None
    weights: tuple[Weight, ...]
    is_asked: bool
    """Whether that call named them; else it only reads them, or not even that."""


def _groups(step: _Step) -> Iterator[_Group]:
    """Put the weights together that one call speaks for: the one that brought them most, else one
    whose loss they lead to."""
    groups: dict[tuple[int | None, bool], list[Weight]] = {}
    for weight in step.weights:
        asking = step.asking(weight)
        if asking:
            key: tuple[int | None, bool] = (_best(step, weight, asking), True)
        elif weight.stored.role is Role.STATE:
            key = (None, True)
        else:
            key = (_leading(step, weight, range(len(step.record.calls))), False)
        groups.setdefault(key, []).append(weight)
    for (call, is_asked), weights in groups.items():
        yield _Group(call, tuple(weights), is_asked)


def _best(step: _Step, weight: Weight, asking: Sequence[int]) -> int:
    brought = {number: step.measured(number, weight) for number in asking}
    told = {number: most_telling(items) for number, items in brought.items() if items}
    if not told:
        return asking[0]
    best = most_telling(list(told.values()))
    alike = [number for number in told if told[number].verdict is best.verdict]
    if best.verdict is Verdict.NONE and len(alike) > 1:
        return _leading(step, weight, alike) or alike[0]
    return alike[0]


def _leading(step: _Step, weight: Weight, calls: Iterable[int]) -> int | None:
    """Return the call to whose targets a weight leads with the fewest cuts; else the first of
    them that has a graph."""
    ways: list[tuple[bool, int, int]] = []
    for number in calls:
        scene = step.scene(number)
        if scene is not None:
            attribution = scene.ways.get(weight.stored.name)
            cuts = None if attribution is None else attribution.cuts_to_restore
            ways.append((cuts is None, cuts or 0, number))
    return min(ways)[2] if ways else None


def _diagnosed(step: _Step, group: _Group) -> tuple[list[Variable], list[Finding]]:
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
    return _unasked(step, variables, findings)


def _seen_again(step: _Step, group: _Group, evidence: Evidence) -> Evidence:
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


def _movers(step: _Step, group: _Group, measured: Mapping[str, Measurement]) -> Mapping[str, Mover]:
    """Return what moves each weight that changed without a gradient."""
    return {
        name: Mover.OPTIMIZER if verdict is Verdict.ZERO and step.given(weight) else Mover.ASSIGNED
        for weight in group.weights
        if step.moved[name := weight.stored.name]
        and (verdict := measured[name].verdict) in (Verdict.NONE, Verdict.ZERO)
    }


def _evidence(
    stored: Sequence[Any],
    scene: _Scene | None,
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


def _map(
    step: _Step, groups: Sequence[_Group], variables: Mapping[str, Variable]
) -> FlowMap | None:
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


def _is_hidden(step: _Step, number: int | None) -> bool:
    """Return whether the graph of a call is not known, where there is one."""
    if number is None:
        return False
    call = step.record.calls[number]
    return bool(call.targets) or call.is_partial


def _taken_out(
    step: _Step, call: int, variables: Sequence[Variable], findings: Sequence[Finding]
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


def _by_movement(step: _Step, variable: Variable) -> Variable:
    """Return what is known of a weight whose gradient could not be measured: where the graph leads
    a gradient to it and the step did not change it, that may have been zero."""
    if variable.verdict is Verdict.FLOWS and not step.moved.get(variable.name):
        return replace(variable, verdict=Verdict.UNKNOWN, cuts_to_restore=None)
    return variable


def _unasked(
    step: _Step, variables: Sequence[Variable], findings: Sequence[Finding]
) -> tuple[list[Variable], list[Finding]]:
    """Say of weights that no gradient call named that this is so, unless they are frozen."""
    cause = entry("GF502").cause()
    result: list[Variable] = []
    lost: dict[bool, list[str]] = {False: [], True: []}
    hidden: set[str] = set()
    assigned = {variable.name for variable in variables if step.moved.get(variable.name)}
    for variable in variables:
        if not variable.trainable or variable.role is Role.STATE:
            result.append(variable)
            continue
        if step.record.hides_calls:
            unknown = replace(variable, verdict=Verdict.UNKNOWN, causes=(), cuts_to_restore=None)
            result.append(unknown)
            hidden.add(variable.name)
            continue
        is_known = variable.verdict is not Verdict.UNKNOWN and variable.name not in assigned
        behind = variable.causes if is_known else ()
        lost[variable.name in assigned].append(variable.name)
        result.append(
            replace(
                variable,
                verdict=Verdict.NONE,
                confidence=Confidence.MEASURED,
                causes=(cause, *behind),
            )
        )
    more = [
        finding if finding.code == "GF101" else replace(finding, variables=left)
        for finding in findings
        if (left := tuple(name for name in finding.variables if name not in assigned | hidden))
        or finding.code == "GF101"
    ]
    if lost[False]:
        words = _NOT_ASKED if step.record.calls else _NO_CALLS
        more.append(_finding(entry("GF502"), words, lost[False], cause))
    if lost[True]:
        note = Severity.NOTE
        more.append(_finding(entry("GF502"), _ASSIGNED, lost[True], cause, severity=note))
    return result, more


def _applied(step: _Step, variables: Mapping[str, Variable]) -> Iterator[Finding]:
    """Report weights that a gradient arrived at and that did not change."""
    lost: dict[tuple[str, Severity], list[str]] = {}
    item = entry("GF503")
    for weight in step.weights:
        name = weight.stored.name
        variable = variables[name]
        if not variable.trainable or variable.verdict is not Verdict.FLOWS or step.moved[name]:
            continue
        words = _fate(step, weight, item)
        if words is not None:
            lost.setdefault(words, []).append(name)
    for (message, severity), names in lost.items():
        yield _finding(item, message, names, item.cause(), severity=severity)


def _fate(step: _Step, weight: Weight, item: CodeEntry) -> tuple[str, Severity] | None:
    """Return what became of the gradient of a weight that did not change; None where it may
    have."""
    applications = step.given(weight)
    if not applications:
        handles = set(weight.handles)
        if step.moved[weight.stored.name] is None and (handles & step.record.written.keys()):
            return None
        return _NOT_APPLIED, item.severity
    given = [
        measurement
        for application in applications
        for handle in weight.handles
        for measurement in application.given.get(handle, ())
    ]
    verdicts = {measurement.verdict for measurement in given}
    if verdicts and verdicts <= {Verdict.ZERO, Verdict.NONE}:
        what = "only zeros" if Verdict.ZERO in verdicts else "None"
        return _HANDS_OVER.replace("{what}", what), item.severity
    if step.moved[weight.stored.name] is None:
        return None
    if any(application.accumulates for application in applications):
        words = f"{_NOT_CHANGED}: it adds up the gradients of several steps first"
        return words, Severity.NOTE
    if step.record.draws_anew:
        return _DRAWN_ANEW, Severity.NOTE
    return _NOT_CHANGED, Severity.WARNING


def _still_trained(step: _Step, variables: Mapping[str, Variable]) -> Iterator[Finding]:
    """Report frozen weights that the step trains."""
    called, traced = step.record.trained_by_call, step.record.trained_by_trace or set()
    names = []
    for weight in step.weights:
        variable, handles = variables[weight.stored.name], set(weight.handles)
        is_old = bool(handles & called and not handles & traced)
        is_given = bool(step.given(weight)) and bool(step.moved[variable.name])
        if variable.role is Role.WEIGHT and not variable.trainable and (is_old or is_given):
            names.append(variable.name)
    if names:
        doubt = FreezeDoubt(Doubt.STILL_TRAINED, tuple(names))
        stored = tuple(weight.stored for weight in step.weights)
        _, findings = diagnose(Evidence(variables=stored, doubts=(doubt,)))
        yield from (finding for finding in findings if finding.code == "GF102")


def _not_yet_trained(step: _Step, variables: dict[str, Variable]) -> Iterator[Finding]:
    """Report weights that a trace made before they were unfrozen does not train, and that one made
    now would."""
    record = step.record
    asked = [set(call.asked) for call in record.calls if call.graph is not None]
    cause = entry("GF502").cause()
    names = []
    for weight in step.weights:
        variable, handles = variables[weight.stored.name], set(weight.handles)
        if not variable.trainable or handles & record.trained_by_call:
            continue
        if record.trained_by_trace is None:
            # The trace failed, as an optimizer refuses a weight that it was not built with.
            is_late = any(handles & names and names & record.trained_by_call for names in asked)
        else:
            is_late = bool(handles & record.trained_by_trace)
        if is_late:
            names.append(variable.name)
            variables[variable.name] = replace(
                variable, verdict=Verdict.NONE, causes=(cause,), cuts_to_restore=None, path=()
            )
    if names:
        yield _finding(entry("GF502"), _TRACED_BEFORE, names, cause, hint=_COMPILE_AGAIN)


def _finding(
    item: CodeEntry,
    message: str,
    names: Sequence[str],
    cause: Cause,
    *,
    severity: Severity | None = None,
    hint: str | None = None,
) -> Finding:
    is_one = len(names) == 1
    words = message.format(
        who=names[0] if is_one else f"{len(names):,} weights", them="it" if is_one else "them"
    )
    return item.finding(words, names, cause, severity=severity, hint=hint)


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
