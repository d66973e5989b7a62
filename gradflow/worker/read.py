"""A path in, what can be said about it without TensorFlow out."""

from __future__ import annotations

from collections.abc import Mapping

from gradflow.diagnose import Evidence
from gradflow.errors import UsageError
from gradflow.files.contents import ModelFile
from gradflow.files.keras_files import read_keras
from gradflow.files.recognise import recognise
from gradflow.files.saved_model import Entry, SavedModelContents, choose_entry, read_saved_model, variables_of
from gradflow.findings import Format, Input, Mode, Output
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.origins import place_finder, source_finder
from gradflow.flow.saved import lower_entry
from gradflow.flow.scopes import layer_finder, variable_layers
from gradflow.options import Options
from gradflow.worker.outcome import Analysis, analyzed


def read(path: str, options: Options) -> Analysis:
    """Analyse the file at ``path`` statically.

    Raises:
        GradflowError: it holds no model that can be read, or an option does not fit it.
    """
    return read_file(recognise(path), path, options)


def read_file(file: ModelFile, path: str, options: Options) -> Analysis:
    """As ``read``, for a file that is recognised already."""
    if file.format is Format.SAVED_MODEL:
        contents = read_saved_model(file.path)
        entry = choose_entry(contents, path, options.entry)
        return report_saved_model(path, contents, entry, options)
    refuse_entry(path, options)
    stored = read_keras(file)
    evidence = Evidence(
        stored.variables, None, None, {}, lambda _: None, selected=options.outputs, doubts=stored.doubts
    )
    return analyzed(path, file.format, stored.producer, None, Mode.STATIC, evidence, (), (), options.why)


def refuse_entry(path: str, options: Options) -> None:
    """Raise UsageError where ``--entry`` is given for a Keras file."""
    if options.entry is not None:
        raise UsageError(f"{path}: --entry {options.entry!r}: a Keras file has one entry only", "leave --entry out")


def report_saved_model(path: str, contents: SavedModelContents, entry: Entry, options: Options) -> Analysis:
    """Static verdicts of a SavedModel's entry from its graph."""
    graph = lower_entry(contents, entry, options.outputs)
    variables = variables_of(contents, entry)
    layers = variable_layers(variable.layer for variable in variables)
    layer_of = place_finder(graph, layer_finder(graph.names, layers, complete=False))
    evidence = Evidence(
        variables,
        None,
        graph,
        _attribute(graph),
        layer_of,
        selected=options.outputs,
        source_of=source_finder(graph),
        doubts=contents.doubts,
    )
    inputs = tuple(Input(info.name, info.shape or (), info.dtype, "declared") for info in entry.inputs)
    outputs = tuple(
        Output(info.name, info.shape or (), info.dtype)
        for info in entry.outputs
        if not options.outputs or info.name in options.outputs
    )
    producer, mode = contents.producer, Mode.STATIC
    return analyzed(path, Format.SAVED_MODEL, producer, entry.name, mode, evidence, inputs, outputs, options.why)


def _attribute(graph: FlowGraph) -> Mapping[str, Attribution]:
    """Attribute; what would be cut even if ops of unknown types passed gradient is cut for certain."""
    found = attribute(graph)
    if Edge.UNKNOWN not in graph.kinds:
        return found
    hopeful = attribute(graph.as_if_unknown_flowed())
    return {name: found[name] if hopeful[name].cuts_to_restore == 0 else hopeful[name] for name in found}
