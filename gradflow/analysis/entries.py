"""List the entries of a model file that ``--entry`` can name, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.analysis.result import unlisted
from gradflow.errors import GradflowError
from gradflow.files.keras.reader import read_keras
from gradflow.files.model_file import ModelFile
from gradflow.files.recognise import recognise
from gradflow.files.saved_model.choose_entry import choose_entry, weights_used
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.findings import EntryList, Format, ListedEntry, ListedTensor, Role
from gradflow.options import Options


def list_entries(path: str, options: Options) -> EntryList:
    """Return the entries of the file at ``path``, the default one first; what is wrong with the
    file is in ``error``."""
    try:
        return _entries(path, options)
    except GradflowError as error:
        return unlisted(path, error)


def _entries(path: str, options: Options) -> EntryList:
    with recognise(path) as file:
        return _of_file(file, path, options)


def _of_file(file: ModelFile, path: str, options: Options) -> EntryList:
    if file.format is not Format.SAVED_MODEL:
        keras = read_keras(file)
        weights = sum(variable.role is Role.WEIGHT for variable in keras.variables)
        only = ListedEntry(f"call(training={options.training})", True, weights, (), ())
        return EntryList(path, file.format, keras.producer, weights, (only,))
    graphs = read_saved_model(file)
    choice = choose_entry(graphs, path, None, training=options.training)
    default = choice[1] if choice is not None else None
    entries = [
        ListedEntry(
            entry.label,
            entry is default,
            weights_used(graph, entry),
            _listed(entry.inputs),
            _listed(entry.outputs),
        )
        for graph in graphs
        for entry in graph.entries
    ]
    weights = max(
        sum(variable.role is Role.WEIGHT for variable in graph.variables) for graph in graphs
    )
    entries.sort(key=lambda entry: not entry.is_default)
    return EntryList(path, file.format, graphs[0].producer, weights, tuple(entries))


def _listed(tensors: Iterable[TensorInfo]) -> tuple[ListedTensor, ...]:
    return tuple(ListedTensor(info.name, info.dtype, info.shape) for info in tensors)
