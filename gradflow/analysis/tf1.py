"""A SavedModel of TensorFlow 1 and its entry in, its analysis out: measured in a session, explained
by its graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gradflow.analysis.conclude import analyzed
from gradflow.analysis.result import Analysis, Progress
from gradflow.diagnose import Evidence, Measurement, Sighting, outliers
from gradflow.files.model_file import ModelFile, with_state
from gradflow.files.saved_model.contents import Entry, SavedModelContents, variables_of
from gradflow.files.saved_model.tf1_graph import shifts_before_normalization
from gradflow.findings import Mode, Role, Verdict
from gradflow.flow.attribute import Attribution, Cut, attribute
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.layer_scopes import layer_finder, variable_layers
from gradflow.flow.lower.graph_def import op_types
from gradflow.flow.lower.saved_model import lower_entry
from gradflow.flow.measured import with_untaken_inputs
from gradflow.flow.origins import place_finder, source_finder
from gradflow.options import Options
from gradflow.tape.custom_ops import registered_specs
from gradflow.tape.load.saved_model import epsilon_of
from gradflow.tape.replay.shift_invariance import BATCH_NORMALIZATION
from gradflow.tape.tf1.session import GraphSession, Step, graph_session
from gradflow.tape.tf1.zero_gradients import Awakened, awakened, cancelled

_OTHER_BRANCH = "took its other branch for this batch"
_OTHER_INPUTS = "where real data takes it, show that to gradflow: --input NAME=@batch.npz:key"
_NO_ROWS = Sighting(
    Edge.DEAD,
    None,
    None,
    "no row of it is looked up in these batches",
    fix=_OTHER_INPUTS,
    harmless=True,
)


def analyse_graph(
    file: ModelFile,
    path: str,
    contents: SavedModelContents,
    entry: Entry,
    options: Options,
    progress: Progress,
) -> Analysis:
    """Step a TF1 graph in a session of its own and join what it and the graph say.

    Raises:
        NotLoadedError: TensorFlow cannot load or differentiate it.
        GradflowError: no batch is accepted, or an option does not fit the model.
    """
    with graph_session(file.path, contents, entry, options.outputs) as live:
        progress("step")
        step = live.step(options)
        progress("trace")
        graph = lower_entry(
            contents, entry, options.outputs, registered_specs(op_types(contents.graph_def))
        )
        attributions = attribute(graph)
        variables = with_state(variables_of(contents, entry), options.state)
        weights = {one.name for one in variables if one.role is Role.WEIGHT}
        flowing = {
            name
            for name in weights
            if name in attributions and attributions[name].cuts_to_restore == 0
        }
        epsilon = epsilon_of(contents)
        measured = _probed_again(live, step, flowing, options, epsilon)
        layer_of = place_finder(
            graph,
            layer_finder(
                graph.names, variable_layers(one.layer for one in variables), complete=False
            ),
        )
        zero = [
            name for name in flowing if name in measured and measured[name].verdict is Verdict.ZERO
        ]
        tiny = [
            one.name
            for one in outliers(measured, sorted(flowing), epsilon, options.thresholds)
            if one.ratio < 1
        ]
        known = shifts_before_normalization(contents.graph_def)
        shifts = {
            **dict.fromkeys(cancelled(live, step, [*tiny, *zero], epsilon), "what follows"),
            **dict.fromkeys(known, BATCH_NORMALIZATION),
        }
        trained = [one.name for one in variables if one.name in flowing and one.trainable]
        sightings = {
            **(_asleep(awakened(live, options, measured, trained), zero) if zero else {}),
            **{name: (_NO_ROWS,) for name in zero if _rows(measured[name]) == 0},
            **{name: (_no_shift(shifts[name]),) for name in zero if name in shifts},
            **(_untaken(graph, live.branches(step), zero, layer_of) if zero else {}),
        }
    evidence = Evidence(
        variables=variables,
        measurements=measured,
        graph=graph,
        attributions=attributions,
        layer_of=layer_of,
        sightings=sightings,
        cancelled=shifts,
        epsilon=epsilon,
        has_running_statistics=_has_running_statistics(contents, entry),
        selected=options.outputs,
        source_of=source_finder(graph),
        doubts=contents.doubts,
        thresholds=options.thresholds,
    )
    producer, inputs = contents.producer, step.batch.described
    return analyzed(
        path,
        file.format,
        producer,
        entry.label,
        Mode.TAPE,
        evidence,
        inputs,
        step.outputs,
        options.why,
    )


def _no_shift(remover: str) -> Sighting:
    detail = f"gradient is mathematically zero: {remover} cancels any constant that is added"
    return Sighting(Edge.DEAD, None, None, detail, fix="harmless, nothing to mend", harmless=True)


def _asleep(found: Awakened, zero: Sequence[str]) -> dict[str, tuple[Sighting, ...]]:
    """Of the weights whose gradient is zero, those that the first update brings to life."""
    more = f" and {len(found.zeros) - 1} more" if len(found.zeros) > 1 else ""
    detail = (
        f"gradient is zero until a weight of zeros has moved: {', '.join(found.zeros[:1])}{more}"
    )
    fix = "harmless: it comes alive once that weight has moved"
    sighting = Sighting(Edge.DEAD, None, None, detail, fix=fix, harmless=True)
    return {name: (sighting,) for name in zero if name in found.names}


def _rows(measurement: Measurement) -> int | None:
    return measurement.gradient.rows_touched if measurement.gradient is not None else None


def _probed_again(
    live: GraphSession, step: Step, flowing: set[str], options: Options, epsilon: float
) -> Mapping[str, Measurement]:
    """Draw other batches before a weight is called dead, or its gradient vanishing."""
    measured = dict(step.measured)
    for probe in range(1, options.probes):
        dead = [
            name for name in flowing if name in measured and measured[name].verdict is Verdict.ZERO
        ]
        tiny = [
            one.name
            for one in outliers(measured, sorted(flowing), epsilon, options.thresholds)
            if one.ratio < 1
        ]
        if not dead and not tiny:
            break
        again = live.step(replace(options, seed=options.seed + probe)).measured
        measured.update(
            {name: again[name] for name in dead if again[name].verdict is Verdict.FLOWS}
        )
        measured.update(
            {name: again[name] for name in tiny if _size(again[name]) > _size(measured[name])}
        )
    return measured


def _size(measurement: Measurement) -> float:
    return measurement.gradient.max_abs or 0.0 if measurement.gradient is not None else 0.0


def _untaken(
    graph: FlowGraph,
    taken: Mapping[str, int],
    zero: list[str],
    layer_of: Callable[[int], str | None],
) -> Mapping[str, tuple[Sighting, ...]]:
    """The conditions whose other branch was run, where no way is left to a weight without it."""
    run = with_untaken_inputs(graph, taken)
    found: dict[str, Attribution] = dict(attribute(run))
    return {
        name: tuple(_sighting(run, cut, found[name], layer_of) for cut in found[name].causes)
        for name in zero
        if found[name].cuts_to_restore
    }


def _sighting(
    graph: FlowGraph, cut: Cut, found: Attribution, layer_of: Callable[[int], str | None]
) -> Sighting:
    name, op, layer = graph.names[cut.node], graph.ops[cut.node], layer_of(cut.node)
    if cut.kind is Edge.UNTAKEN:
        return Sighting(cut.kind, name, op, _OTHER_BRANCH, layer, fix=_OTHER_INPUTS)
    back = None if cut.reenters_at is None else graph.names[cut.reenters_at]
    mark, cuts = graph.marks[cut.node], found.cuts_to_restore or 1
    return Sighting(
        cut.kind, name, op, "", layer, mark=mark, reenters_at=back, cuts_to_restore=cuts
    )


def _has_running_statistics(contents: SavedModelContents, entry: Entry) -> bool:
    """Whether a BatchNormalization scales by its moving averages, so that sizes are not those of
    training."""
    return any(
        one.role is Role.STATE and one.name in entry.uses and one.name.endswith("moving_variance")
        for one in contents.variables
    )
