"""Explain zero and tiny gradients of a graph of TensorFlow 1: run it again, and look at its ops."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from gradflow.catalogue.data_fixes import OTHER_BRANCH_FIX
from gradflow.diagnose import Measurement, Sighting, Trial, find, outliers
from gradflow.files.saved_model.tf1_graph import shifts_before_normalization
from gradflow.findings import Verdict
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.frontier import Cut
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.measured import with_dead_ops, with_untaken_inputs
from gradflow.options import Options
from gradflow.tape.explain import larger
from gradflow.tape.further_steps import alive
from gradflow.tape.lasting_zeros import HARMLESS, STARTS_LATER
from gradflow.tape.loaded_model import Explanation, LoadedModel, Step
from gradflow.tape.replay.shift_invariance import BATCH_NORMALIZATION
from gradflow.tape.replay.zero_gradients import words_for
from gradflow.tape.stepped import flowing_weights
from gradflow.tape.tf1.prove import prove
from gradflow.tape.tf1.session import GraphSession
from gradflow.tape.tf1.zero_gradients import Awakened, awakened, cancelled

_OTHER_BRANCH = "took its other branch with this batch"
_NO_ROWS = Sighting(
    Edge.DEAD,
    None,
    None,
    "no row of it is looked up in these batches",
    fix=OTHER_BRANCH_FIX,
    harmless=True,
)


def explain(
    model: LoadedModel, live: GraphSession, graph: FlowGraph, step: Step, options: Options
) -> Explanation:
    """Find out why gradients of ``step`` are zero or tiny where ``graph`` lets them flow."""
    attributions = attribute(graph)
    flowing = flowing_weights(model.watched, attributions)
    measured = _probed_again(model, step, flowing, options)
    zero = _zero(measured, flowing)
    tiny = _tiny(measured, flowing, options, model.epsilon)
    normalized = shifts_before_normalization(live.contents.graph_def)
    shifted = [name for name in flowing if name in normalized]
    without_effect = cancelled(live, step, [*tiny, *zero, *shifted], options, model.epsilon)
    shifts = {
        name: BATCH_NORMALIZATION if name in normalized else "what follows"
        for name in (*sorted(without_effect), *(name for name in zero if name in normalized))
    }
    sightings: dict[str, tuple[Sighting, ...]] = {}
    if zero:
        trainable = {item.stored.name for item in model.watched if item.stored.trainable}
        trained = [name for name in flowing if name in trainable]
        # Of several reasons, the last one says most.
        layer_of = model.layer_of(graph)
        sightings = {
            **_dead(graph, live.alive(step, options), zero, layer_of),
            **_asleep(awakened(model, live, options, measured, trained), zero),
            **{name: (_NO_ROWS,) for name in zero if _rows(measured[name]) == 0},
            **{name: (_no_shift(shifts[name]),) for name in zero if name in shifts},
            **_untaken(graph, live.branches(step, options), zero, layer_of),
        }
    return Explanation(
        measured,
        graph,
        attributions,
        sightings,
        shifts,
        trial=_trial(model, live, graph, attributions, step=step, options=options),
    )


def _trial(
    model: LoadedModel,
    live: GraphSession,
    graph: FlowGraph,
    attributions: Mapping[str, Attribution],
    step: Step,
    options: Options,
) -> Trial | None:
    """Try the repair of a variable that is followed to the output, and cut off from it."""
    if options.why is None:
        return None
    name = find(options.why, [stored.name for stored in model.stored])
    attribution = attributions.get(name)
    if attribution is None or not attribution.cuts_to_restore:
        return None
    return prove(live, graph, attribution, name, step=step, options=options)


def _zero(measured: Mapping[str, Measurement], names: Sequence[str]) -> list[str]:
    return [name for name in names if name in measured and measured[name].verdict is Verdict.ZERO]


def _tiny(
    measured: Mapping[str, Measurement], names: Sequence[str], options: Options, epsilon: float
) -> list[str]:
    return [
        outlier.name
        for outlier in outliers(measured, sorted(names), epsilon, options.thresholds)
        if outlier.ratio < 1
    ]


def _probed_again(
    model: LoadedModel, step: Step, flowing: Sequence[str], options: Options
) -> Mapping[str, Measurement]:
    """Draw other batches before a weight is called dead, or its gradient vanishing."""
    measured = step.measured
    for number in range(1, options.draws):
        dead = _zero(measured, flowing)
        tiny = _tiny(measured, flowing, options, model.epsilon)
        if not dead and not tiny:
            break
        probed = model.step(replace(options, seed=options.seed + number)).measured
        revived = alive({name: measured[name] for name in dead}, probed)
        measured = larger(
            {**measured, **{name: probed[name] for name in revived}},
            {name: probed[name] for name in tiny},
        )
    return measured


def _no_shift(remover: str) -> Sighting:
    detail = f"gradient is mathematically zero: {remover} cancels any constant that is added"
    return Sighting(Edge.DEAD, None, None, detail, fix=HARMLESS, harmless=True)


def _asleep(awakened: Awakened, zero: Sequence[str]) -> dict[str, tuple[Sighting, ...]]:
    """Explain the weights whose gradient is zero until the first update brings them to life."""
    names = ", ".join(awakened.zeros[:1])
    more = f" and {len(awakened.zeros) - 1} more" if len(awakened.zeros) > 1 else ""
    detail = f"gradient is zero until the first update of a weight of zeros: {names}{more}"
    sighting = Sighting(Edge.DEAD, None, None, detail, fix=STARTS_LATER, harmless=True)
    return {name: (sighting,) for name in zero if name in awakened.names}


def _dead(
    graph: FlowGraph,
    alive: Mapping[str, bool],
    zero: Sequence[str],
    layer_of: Callable[[int], str | None],
) -> dict[str, tuple[Sighting, ...]]:
    """Return the ops that get a gradient and hand on only zeros, where no way is left without
    them."""
    run = with_dead_ops(graph, alive)
    attributions = attribute(run)
    return {
        name: tuple(
            Sighting(
                Edge.DEAD,
                run.names[cut.node],
                run.ops[cut.node],
                detail,
                layer_of(cut.node),
                fix=fix,
            )
            for cut in attributions[name].causes
            if cut.kind is Edge.DEAD
            for detail, fix in [words_for(run.ops[cut.node])]
        )
        for name in zero
        if attributions[name].cuts_to_restore
    }


def _rows(measurement: Measurement) -> int | None:
    return measurement.gradient.rows_touched if measurement.gradient is not None else None


def _untaken(
    graph: FlowGraph,
    branches: Mapping[str, int],
    zero: Collection[str],
    layer_of: Callable[[int], str | None],
) -> Mapping[str, tuple[Sighting, ...]]:
    """Return the conditions whose other branch was run, where no way is left to a weight without
    it."""
    run = with_untaken_inputs(graph, branches)
    attributions: Mapping[str, Attribution] = attribute(run)
    return {
        name: tuple(
            _sighting(run, cut, attributions[name], layer_of) for cut in attributions[name].causes
        )
        for name in zero
        if attributions[name].cuts_to_restore
    }


def _sighting(
    graph: FlowGraph, cut: Cut, attribution: Attribution, layer_of: Callable[[int], str | None]
) -> Sighting:
    name, op, layer = graph.names[cut.node], graph.ops[cut.node], layer_of(cut.node)
    if cut.kind is Edge.UNTAKEN:
        return Sighting(cut.kind, name, op, _OTHER_BRANCH, layer, fix=OTHER_BRANCH_FIX)
    back = None if cut.reenters_at is None else graph.names[cut.reenters_at]
    mark, cuts = graph.marks[cut.node], attribution.cuts_to_restore or 1
    return Sighting(
        cut.kind, name, op, "", layer, mark=mark, reenters_at=back, cuts_to_restore=cuts
    )
