"""Tell without TensorFlow what the graph of a SavedModel says about its gradients."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.analysis.all_entries import each_entry, joined
from gradflow.analysis.other_entry import finder_elsewhere
from gradflow.analysis.result import Analysis, analyzed, with_reason
from gradflow.analysis.unknown_ops import attribute_unknown
from gradflow.diagnose import Evidence
from gradflow.errors import UnreadableError
from gradflow.files.model_file import ModelFile, with_state
from gradflow.files.saved_model.choose_entry import choose_entry
from gradflow.files.saved_model.constants import constants
from gradflow.files.saved_model.contents import Entry, SavedModelContents, variables_of
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.files.saved_model.schema import message
from gradflow.files.saved_model.viewer_ids import viewer_ids
from gradflow.findings import Format, Input, Mode, Output, Role
from gradflow.flow.layer_scopes import layer_finder, variable_layers
from gradflow.flow.lower.saved_model import lower_entry
from gradflow.flow.origins import noted_layer_finder, source_finder
from gradflow.ops.table import cells
from gradflow.options import Options, refuse_objective


def prepare() -> None:
    """Make what each file takes: the library, its schema and the table of ops."""
    message("SavedModel")
    cells("rule")


def report_saved_model(file: ModelFile, path: str, options: Options) -> Analysis:
    """Static verdicts of a SavedModel: of the entry that the options ask for, or of all.

    Raises:
        GradflowError: it cannot be read, or has no such entry, or an option does not fit it.
    """
    refuse_objective(path, options)
    graphs = read_saved_model(file)
    several, options = each_entry(graphs, options)
    if several:
        return joined([report_entry(path, *choice, fitting) for choice, fitting in several])
    contents, entry = chosen(graphs, path, options)
    return report_entry(path, contents, entry, options)


def chosen(
    graphs: Sequence[SavedModelContents], path: str, options: Options
) -> tuple[SavedModelContents, Entry | None]:
    """Return the graph and the entry of a SavedModel that the options ask for; no entry where it
    holds none.

    Raises:
        UnreadableError: it has no such entry.
    """
    return choose_entry(graphs, path, options.entry, training=options.training) or (graphs[0], None)


def report_entry(
    path: str, contents: SavedModelContents, entry: Entry | None, options: Options
) -> Analysis:
    """Static verdicts of a SavedModel's entry from its graph; unknown ones where there is no entry.

    Raises:
        UnreadableError: it holds no entry, no weight and no table, so that there is nothing to
            say.
    """
    if entry is None:
        return _without_entry(path, contents, options)
    graph = lower_entry(contents, entry, options.outputs)
    variables = with_state(variables_of(contents, entry), options.state)
    layers = variable_layers(variable.layer for variable in variables)
    layer_of = noted_layer_finder(graph, layer_finder(graph.names, layers, complete=False))
    inputs = tuple(
        Input(info.name, info.shape or (), info.dtype, "declared") for info in entry.inputs
    )
    outputs = tuple(
        Output(info.name, info.shape or (), info.dtype)
        for info in entry.outputs
        if not options.outputs or info.name in options.outputs
    )
    evidence = Evidence(
        variables=variables,
        graph=graph,
        attributions=attribute_unknown(graph),
        layer_of=layer_of,
        viewer_ids=viewer_ids(contents.graph_def) if options.map else {},
        owning_layers=None if contents.has_layers else frozenset(layers.values()),
        selected=options.outputs,
        outputs=outputs,
        is_exported=True,
        source_of=source_finder(graph),
        doubts=contents.doubts,
        elsewhere=finder_elsewhere(contents, entry, options),
        constants=None if graph.variables else constants(contents.graph_def, entry.function),
    )
    return analyzed(
        path,
        Format.SAVED_MODEL,
        Mode.STATIC,
        evidence,
        producer=contents.producer,
        entry=entry.label,
        inputs=inputs,
        outputs=outputs,
        why=options.why,
        drawn=evidence if options.map else None,
    )


def _without_entry(path: str, contents: SavedModelContents, options: Options) -> Analysis:
    """Return what the variables alone tell: names, shapes and what is frozen."""
    reason, hint = (
        "it holds no function that can be called",
        "save it with a signature or a tf.function",
    )
    variables = with_state(contents.variables, options.state)
    is_weightless = all(variable.role is not Role.WEIGHT for variable in variables)
    if is_weightless and not _holds_tables(contents):
        raise UnreadableError(f"{path}: {reason}, and no weight", hint)
    evidence = Evidence(variables=variables, doubts=contents.doubts)
    analysis = analyzed(
        path,
        Format.SAVED_MODEL,
        Mode.STATIC,
        evidence,
        producer=contents.producer,
        why=options.why,
        drawn=evidence if options.map else None,
    )
    return analysis if is_weightless else with_reason(analysis, reason, hint)


def _holds_tables(contents: SavedModelContents) -> bool:
    """Return whether the file holds lookup tables, as one that prepares data does."""
    functions = contents.graph_def.library.function
    return any(
        node.op.endswith("HashTableV2") for function in functions for node in function.node_def
    )
