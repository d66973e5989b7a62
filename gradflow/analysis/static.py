"""Tell without TensorFlow what a model file says about its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradflow.analysis.all_entries import each_entry, joined
from gradflow.analysis.elsewhere import finder_elsewhere
from gradflow.analysis.hopeful import attribute_unknown
from gradflow.analysis.layers import read_layers
from gradflow.analysis.result import Analysis, analyzed
from gradflow.diagnose import Evidence, describe_unloaded
from gradflow.errors import (
    DamagedError,
    GradflowError,
    UnreadableError,
    is_lack_of_memory,
)
from gradflow.files.keras.model_layers import model_layers
from gradflow.files.keras.reader import read_keras
from gradflow.files.model_file import ModelFile, with_state
from gradflow.files.recognise import recognise
from gradflow.files.saved_model.choose_entry import choose_entry
from gradflow.files.saved_model.constants import constants
from gradflow.files.saved_model.contents import Entry, SavedModelContents, variables_of
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.files.saved_model.viewer_ids import viewer_ids
from gradflow.findings import Format, Input, Mode, Output, Role
from gradflow.flow.layer_scopes import layer_finder, variable_layers
from gradflow.flow.lower.saved_model import lower_entry
from gradflow.flow.origins import noted_layer_finder, source_finder
from gradflow.options import Options, refuse_entry, refuse_objective


def read(path: str, options: Options) -> Analysis:
    """Analyse the file at ``path`` statically.

    Raises:
        GradflowError: it holds no model that can be read, or an option does not fit it.
    """
    with recognise(path) as file:
        return read_file(file, path, options)


def read_file(file: ModelFile, path: str, options: Options) -> Analysis:
    """Do what ``read`` does, for a file that is recognised already."""
    if file.format is Format.SAVED_MODEL:
        refuse_objective(path, options)
        graphs = read_saved_model(file)
        several, options = each_entry(graphs, options)
        if several:
            return joined(
                [report_saved_model(path, *choice, fitting) for choice, fitting in several]
            )
        contents, entry = chosen(graphs, path, options)
        return report_saved_model(path, contents, entry, options)
    refuse_entry(path, options)
    return _report_keras(file, path, options)


def _report_keras(file: ModelFile, path: str, options: Options) -> Analysis:
    """Static verdicts of a Keras file, from its layers."""
    stored = read_keras(file)
    reading = read_layers(file, path, options)
    evidence = Evidence(
        variables=with_state(stored.variables, options.state),
        graph=reading.graph,
        is_of_layers=True,
        attributions=reading.attributions,
        layer_of=reading.layers.__getitem__,
        layers=model_layers(stored.model) if options.map else {},
        selected=options.outputs,
        doubts=stored.doubts,
        is_of_loss=reading.is_of_loss,
        uncovered=reading.uncovered,
        outputs=reading.counting,
    )
    return analyzed(
        path,
        file.format,
        Mode.STATIC,
        evidence,
        producer=stored.producer,
        entry=f"call(training={options.training})",
        inputs=reading.inputs,
        outputs=reading.outputs,
        why=options.why,
        objective=reading.objective,
        unused_loss=reading.unused_loss,
        drawn=evidence if options.map else None,
    )


def analyse_unloaded(
    file: ModelFile, path: str, options: Options, refusal: GradflowError
) -> Analysis:
    """Read the file statically, with ``refusal`` as a finding that says why it was not run.

    Raises:
        DamagedError: the file is, which says more than what a library made of it.
        GradflowError: ``refusal`` itself, where the file alone tells of no variable.
        MemoryError: that is the reason of ``refusal``, which says nothing about the file.
    """
    if is_lack_of_memory(refusal):
        raise MemoryError from refusal
    try:
        analysis = read_file(file, path, options)
    except DamagedError:
        raise
    except GradflowError:
        raise refusal from None
    if not analysis.report.variables:
        raise refusal
    return _with_reason(analysis, refusal.message.removeprefix(f"{path}: "), refusal.hint)


def chosen(
    graphs: Sequence[SavedModelContents], path: str, options: Options
) -> tuple[SavedModelContents, Entry | None]:
    """Return the graph and the entry of a SavedModel that the options ask for; no entry where it
    holds none.

    Raises:
        UnreadableError: it has no such entry.
    """
    return choose_entry(graphs, path, options.entry, training=options.training) or (graphs[0], None)


def report_saved_model(
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
    return analysis if is_weightless else _with_reason(analysis, reason, hint)


def _holds_tables(contents: SavedModelContents) -> bool:
    """Return whether the file holds lookup tables, as one that prepares data does."""
    functions = contents.graph_def.library.function
    return any(
        node.op.endswith("HashTableV2") for function in functions for node in function.node_def
    )


def _with_reason(analysis: Analysis, reason: str, hint: str) -> Analysis:
    """Return the analysis, with a finding that says why the model was not run."""
    findings = (describe_unloaded(reason, hint), *analysis.report.findings)
    return replace(analysis, report=replace(analysis.report, findings=findings))
