"""Follow one variable to the output: each cut on its way, and the smallest repair."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from gradflow.catalogue import entry
from gradflow.catalogue.gf1_flags import UNTRAINABLE
from gradflow.diagnose.causes import cause_of, sighted_cause
from gradflow.diagnose.evidence import Evidence, Trial
from gradflow.diagnose.visible_paths import is_visible
from gradflow.diagnose.where import Whereabouts
from gradflow.diagnose.wording import HOW_TO_THAW, other_use, word
from gradflow.findings import (
    Cause,
    Change,
    CutElsewhere,
    Finding,
    Proof,
    Role,
    Route,
    Step,
    Variable,
    Verdict,
)
from gradflow.flow.attribute import Attribution
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import FlowGraph, Mark
from gradflow.flow.routes import Stop, behind, cuts_of_equal_ways, restored, way

_IN_ORDER = (Verdict.FLOWS, Verdict.UNKNOWN)


def route(
    evidence: Evidence,
    variables: Sequence[Variable],
    findings: Sequence[Finding],
    name: str,
) -> Route:
    """Follow the variable called ``name``, which is one of ``variables``.

    ``findings`` are those of the model.
    """
    by_name = {variable.name: variable for variable in variables}
    variable = by_name[name]
    attribution = evidence.attributions.get(name)
    if evidence.graph is None or attribution is None or variable.role is not Role.WEIGHT:
        changes = (*_changes(evidence, variables, variable, {}), *_remarks(variable, findings))
        return Route(name, (), None, changes, ())
    trial = evidence.trial
    ran = trial.way if trial is not None and not attribution.cuts_to_restore else ()
    graph, stops, cuts = _walked(evidence, evidence.graph, attribution, variable, ran)
    held_back = {
        cuts[stop.node]: _starved(variables, behind(graph, stop.cut), name)
        for stop in stops
        if stop.cut is not None
    }
    steps = _steps(graph, stops, cuts, variable, evidence.layer_at)
    also = restored(graph, stops) if cuts and not ran else _alike(variables, variable, cuts)
    marked = {step.cause for step in steps if step.cause is not None}
    if marked and len(marked) == variable.cuts_to_restore:  # a cut on another way needs no change
        needed = [cause for cause in variable.causes if cause in marked or cause.op is None]
        mending = replace(variable, causes=tuple(needed))
    else:
        mending = variable
    changes = (
        *_changes(evidence, variables, mending, held_back),
        *_further_changes(evidence, trial),
        *_remarks(variable, findings),
    )
    where = Whereabouts(evidence, evidence.graph, by_name)
    cut_of = {cuts[stop.node]: stop.cut for stop in stops if stop.cut is not None}
    other_ways = _other_ways(evidence, graph, attribution, variable, cuts.values())

    def between(cause: Cause) -> tuple[str, str] | None:
        cut = cut_of.get(cause) or where.cut_of(cause, name)
        return None if cut is None else where.between(cut, name)

    changed = {change.cause for change in changes}
    return Route(
        variable=name,
        steps=steps,
        output=where.end_of(name),
        changes=tuple(replace(change, between=between(change.cause)) for change in changes),
        also_restored=_starved(variables, also, name),
        other_ways=other_ways,
        also_cut=tuple(
            CutElsewhere(cause, between(cause))
            for cause in dict.fromkeys((*variable.causes, *other_ways))
            if cause.op and cause not in changed
        ),
        way=way_in_layers(where, variable, ran),
        proof=_proof(evidence, trial),
        unproven=trial.obstacle if trial is not None else "",
    )


def way_in_layers(
    where: Whereabouts, variable: Variable, ran: Sequence[Stop] = ()
) -> tuple[Step, ...]:
    """Return the way of ``variable`` to the output, one step for each layer and each cut.

    What stands in no layer is left out, but for cuts and for where floats begin again. ``ran`` is
    the way that a step took, where the graph alone has one without a cut.
    """
    attribution = where.evidence.attributions.get(variable.name)
    if attribution is None:
        return ()
    graph, stops, cuts = _walked(where.evidence, where.graph, attribution, variable, ran)
    joined: list[Step] = []
    for step in _steps(graph, stops, cuts, variable, where.layer_of):
        last = joined[-1] if joined else None
        if step.cause is None and step.layer is None and not step.comes_back:
            continue
        if (
            last is not None
            and (step.layer is not None or (step.cause is not None and step.op == last.op))
            and (last.layer, last.fed, last.cause) == (step.layer, step.fed, step.cause)
        ):
            joined[-1] = replace(last, comes_back=last.comes_back or step.comes_back)
        else:
            joined.append(replace(step, op=step.layer or step.op))
    return tuple(joined)


def _walked(
    evidence: Evidence,
    graph: FlowGraph,
    attribution: Attribution,
    variable: Variable,
    ran: Sequence[Stop] = (),
) -> tuple[FlowGraph, Sequence[Stop], Mapping[int, Cause]]:
    """Return the graph as it was attributed, the way in it (``ran`` where that is one), and the
    cause at each cut of the way."""
    stops = ran or way(graph, attribution)
    # Attributed as if ops of unknown types passed gradient.
    if not ran and _cuts(graph, stops) != attribution.cuts_to_restore:
        graph = graph.as_if_unknown_flowed()
        stops = way(graph, attribution)
    cuts = {
        stop.node: _cause(evidence, graph, stop.cut, variable)
        for stop in stops
        if stop.cut is not None
    }
    return graph, stops, cuts


def _alike(
    variables: Iterable[Variable], variable: Variable, cuts: Mapping[int, Cause]
) -> frozenset[str]:
    """Return the variables that the cuts of ``variable`` hold back as they do itself: what to
    change on a way that a step took is known of that way alone."""
    crossed = set(cuts.values())
    return frozenset(
        peer.name
        for peer in variables
        if (peer.cuts_to_restore == 1 and not crossed.isdisjoint(peer.causes))
        or (crossed and peer.causes == variable.causes)
    )


def _proof(evidence: Evidence, trial: Trial | None) -> Proof | None:
    if trial is None or trial.obstacle:
        return None
    stops = [sighted_cause(evidence, sighting, Verdict.ZERO) for sighting in trial.stops]
    return Proof(restored=not stops, norm=trial.norm, stopped_by=stops[0] if stops else None)


def _further_changes(evidence: Evidence, trial: Trial | None) -> Iterable[Change]:
    """Yield what is to be done about that which stops the gradient once the cuts let it through."""
    for sighting in trial.stops if trial is not None else ():
        cause = sighted_cause(evidence, sighting, Verdict.ZERO)
        wording = word(evidence, cause, sighting)
        yield Change(cause, wording.message, wording.fix, ())


def _cause(evidence: Evidence, graph: FlowGraph, cut: Cut, variable: Variable) -> Cause:
    """Return the cut's cause, in the variable's own words where it names the cut."""
    name = graph.names[cut.node]
    own = (cause for cause in variable.causes if cause.op == name)
    return next(own, cause_of(evidence, graph, cut, variable.verdict))


def _other_ways(
    evidence: Evidence,
    graph: FlowGraph,
    attribution: Attribution,
    variable: Variable,
    crossed: Collection[Cause],
) -> tuple[Cause, ...]:
    causes = [
        _cause(evidence, graph, cut, variable) for cut in cuts_of_equal_ways(graph, attribution)
    ]
    return tuple(cause for cause in dict.fromkeys(causes) if cause not in crossed)


def _steps(
    graph: FlowGraph,
    stops: Sequence[Stop],
    cuts: Mapping[int, Cause],
    variable: Variable,
    layer_of: Callable[[int], str | None],
) -> tuple[Step, ...]:
    marks = dict(cuts)
    if not cuts:  # the op that makes the zeros or the NaN, where it was found and stands on the way
        by_op = {cause.op: cause for cause in variable.causes if cause.op is not None}
        marks = {
            stop.node: by_op[graph.names[stop.node]]
            for stop in stops
            if graph.names[stop.node] in by_op
        }
    fed_from = max((index + 1 for index, stop in enumerate(stops) if stop.node in marks), default=0)
    returns = {stop.cut.reenters_at for stop in stops if stop.cut is not None}
    return tuple(
        Step(
            op=graph.names[stop.node],
            op_type=graph.ops[stop.node],
            layer=layer_of(stop.node),
            fed=stop.fed and index >= fed_from,
            comes_back=stop.node in returns,
            cause=marks.get(stop.node),
        )
        for index, stop in enumerate(stops)
        if stop.node in marks or stop.node in returns or _is_shown(graph, stop.node)
    )


def _is_shown(graph: FlowGraph, node: int) -> bool:
    return is_visible(graph, node) or bool(graph.marks[node] & Mark.CUSTOM)


def _changes(
    evidence: Evidence,
    variables: Sequence[Variable],
    variable: Variable,
    held_back: Mapping[Cause, tuple[str, ...]],
) -> tuple[Change, ...]:
    if variable.role is not Role.WEIGHT:
        return ()
    untracked = {stored.name for stored in evidence.variables if stored.untracked}
    changes = []
    if not variable.trainable and variable.name not in untracked:
        tracked = [peer for peer in variables if peer.name not in untracked]
        changes.append(_thaw(tracked, variable))
    if variable.verdict in _IN_ORDER and not variable.causes:
        return tuple(changes)
    sightings = {
        sighted_cause(evidence, sighting, variable.verdict): sighting
        for sighting in evidence.sightings.get(variable.name, ())
    }
    # A cut of the frontier that is not on the way needs no change; a cause without an op is no cut
    # at all.
    beside = (cause for cause in variable.causes if not held_back or cause.op is None)
    for cause in [*held_back, *beside]:
        if cause in held_back:
            names = held_back[cause]
        else:
            sharing = {
                peer.name for peer in variables if cause.op is not None and cause in peer.causes
            }
            names = _starved(variables, sharing, variable.name)
        wording = word(
            evidence,
            cause,
            sightings.get(cause),
            evidence.uncovered.get(variable.name, ()),
            other=other_use(evidence, cause, variable.name),
        )
        changes.append(Change(cause, wording.message, wording.fix, names))
    return tuple(changes)


def _remarks(variable: Variable, findings: Iterable[Finding]) -> Iterable[Change]:
    """Yield the findings about the variable that do not explain its verdict, such as its size."""
    causes = {"GF101", *(cause.code for cause in variable.causes)}
    for finding in findings:
        if (
            variable.name in finding.variables
            and finding.code not in causes
            and finding.cause is not None
        ):
            yield Change(finding.cause, finding.message, finding.hint, ())


def _thaw(variables: Iterable[Variable], variable: Variable) -> Change:
    layer = variable.frozen_by
    frozen_with_it = tuple(
        peer.name
        for peer in variables
        if peer.role is Role.WEIGHT
        and not peer.trainable
        and peer.frozen_by == layer
        and peer.name != variable.name
    )
    cause = entry("GF101").cause(layer=layer)
    if layer is None:
        return Change(cause, UNTRAINABLE, HOW_TO_THAW, frozen_with_it)
    fix = f"set {layer}.trainable = True before compile(), and save again"
    message = entry("GF101").message.format(layer=layer)
    return Change(cause, message, fix, frozen_with_it)


def _starved(variables: Iterable[Variable], names: Collection[str], but: str) -> tuple[str, ...]:
    """Return those of ``names`` that are weights without a useful gradient, in the order of the
    file."""
    return tuple(
        variable.name
        for variable in variables
        if variable.name in names
        and variable.name != but
        and variable.role is Role.WEIGHT
        and variable.verdict not in _IN_ORDER
    )


def _cuts(graph: FlowGraph, stops: Iterable[Stop]) -> int:
    """How many cuts are on the way, the copies of one op counted once."""
    return len({graph.place(stop.node) for stop in stops if stop.cut is not None})
