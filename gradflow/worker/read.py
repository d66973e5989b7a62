"""A path in, what can be said about it without TensorFlow out."""

from __future__ import annotations

from collections.abc import Mapping

from gradflow.diagnose import Evidence
from gradflow.errors import UsageError
from gradflow.files.contents import ModelFile
from gradflow.files.keras_files import read_keras
from gradflow.files.recognise import recognise
from gradflow.files.saved_model import Entry, SavedModelContents, choose_entry, read_saved_model
from gradflow.findings import Format, Input, Mode, ModelReport, Output
from gradflow.flow.attribute import Attribution, attribute
from gradflow.flow.graph import Edge, FlowGraph
from gradflow.flow.origins import place_finder, source_finder
from gradflow.flow.saved import lower_entry
from gradflow.flow.scopes import layer_finder, variable_layers
from gradflow.options import Options
from gradflow.worker.outcome import analyzed


def read(path: str, options: Options) -> ModelReport:
    """Analyse the file at ``path`` statically.

    Raises:
        GradflowError: it holds no model that can be read, or an option does not fit it.
    """
    return read_file(recognise(path), path, options)


def read_file(file: ModelFile, path: str, options: Options) -> ModelReport:
    """As ``read``, for a file that is recognised already."""
    if file.format is Format.SAVED_MODEL:
        contents = read_saved_model(file.path)
        entry = choose_entry(contents, path, options.entry)
        return report_saved_model(path, contents, entry, options)
    refuse_entry(path, options)
    stored = read_keras(file)
    evidence = Evidence(stored.variables, None, None, {}, lambda _: None, options.outputs)
    return analyzed(path, file.format, stored.producer, None, Mode.STATIC, evidence, (), ())


def refuse_entry(path: str, options: Options) -> None:
    """Raise UsageError where ``--entry`` is given for a Keras file."""
    if options.entry is not None:
        raise UsageError(f"{path}: --entry {options.entry!r}: a Keras file has one entry only", "leave --entry out")


def report_saved_model(path: str, contents: SavedModelContents, entry: Entry, options: Options) -> ModelReport:
    """Static verdicts of a SavedModel's entry from its graph."""
    graph = lower_entry(contents, entry, options.outputs)
    layers = variable_layers(variable.layer for variable in contents.variables)
    layer_of = place_finder(graph, layer_finder(graph.names, layers, complete=False))
    found, source_of = _attribute(graph), source_finder(graph)
    evidence = Evidence(contents.variables, None, graph, found, layer_of, options.outputs, source_of)
    inputs = tuple(Input(info.name, info.shape or (), info.dtype, "declared") for info in entry.inputs)
    outputs = tuple(
        Output(info.name, info.shape or (), info.dtype)
        for info in entry.outputs
        if not options.outputs or info.name in options.outputs
    )
    return analyzed(path, Format.SAVED_MODEL, contents.producer, entry.name, Mode.STATIC, evidence, inputs, outputs)


def _attribute(graph: FlowGraph) -> Mapping[str, Attribution]:
    """Attribute; what would be cut even if ops of unknown types passed gradient is cut for certain."""
    found = attribute(graph)
    if Edge.UNKNOWN not in graph.kinds:
        return found
    hopeful = attribute(graph.as_if_unknown_flowed())
    return {name: found[name] if hopeful[name].cuts_to_restore == 0 else hopeful[name] for name in found}
