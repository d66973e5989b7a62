"""Load the entries of a SavedModel, and step them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from gradflow.analysis.all_entries import each_entry, joined
from gradflow.analysis.other_entry import finder_elsewhere
from gradflow.analysis.result import Analysis
from gradflow.analysis.safety import refuse_chosen
from gradflow.analysis.static import analyse_unloaded
from gradflow.analysis.static_saved_model import chosen, report_entry
from gradflow.analysis.step_model import analyse_model
from gradflow.errors import GradflowError, InputError, UnsafeError
from gradflow.files.model_file import ModelFile
from gradflow.files.saved_model.choose_entry import Choice, other_entries
from gradflow.files.saved_model.contents import Entry, SavedModelContents
from gradflow.files.saved_model.reader import read_saved_model
from gradflow.options import Options, refuse_objective
from gradflow.progress import Progress
from gradflow.tape.load.error_messages import calls_lost_python, without_kernel
from gradflow.tape.load.saved_model import NotLoadedError, SavedFunction, load_graph, other_device
from gradflow.tape.loaded_model import LoadedModel
from gradflow.tape.tf1.graph_model import graph_model

_OTHER_ENTRIES = 3
"""Entries of a SavedModel that are tried where the best one refuses every input."""


def run_saved_model(
    file: ModelFile, path: str, options: Options, custom: Mapping[str, Any], progress: Progress
) -> Analysis:
    """Step the entry that is asked for; where none is, and the best refuses its inputs, one that
    takes others.

    Raises:
        GradflowError: it cannot be fed, or is not the file any more that was scanned.
    """
    refuse_objective(path, options)
    graphs = read_saved_model(file)
    loader = _Loader(file)
    several, options = each_entry(graphs, options)
    if several:
        return _analyse_all(file, path, loader, progress, several)
    contents, entry = chosen(graphs, path, options)

    def analyse(contents: SavedModelContents, entry: Entry | None) -> Analysis:
        return _analyse_entry(
            file, path, loader, progress, options=options, contents=contents, entry=entry
        )

    try:
        return analyse(contents, entry)
    except InputError:
        if entry is None or options.entry is not None or options.inputs:
            raise
        alternatives = other_entries(graphs, entry, training=options.training)
        for candidate in itertools.islice(alternatives, _OTHER_ENTRIES):
            with contextlib.suppress(GradflowError):
                return analyse(*candidate)
        raise


class _Loader:
    """Loads each graph of a SavedModel once."""

    def __init__(self, file: ModelFile) -> None:
        self._file = file
        self._loaded: dict[tuple[str, ...], Any] = {}

    def model(
        self, contents: SavedModelContents, entry: Entry, options: Options
    ) -> AbstractContextManager[LoadedModel]:
        """Load an entry with the TensorFlow that can run it: a graph of TensorFlow 1 in a
        session."""
        if entry.function is None:
            return graph_model(self._file.path, contents, entry, options.outputs, options.seed)
        if contents.tags not in self._loaded:
            self._loaded[contents.tags] = load_graph(self._file.path, contents, options.seed)
            self._file.refuse_change()
        return contextlib.nullcontext(SavedFunction(self._loaded[contents.tags], contents, entry))


def _analyse_all(
    file: ModelFile,
    path: str,
    loader: _Loader,
    progress: Progress,
    several: Sequence[tuple[Choice, Options]],
) -> Analysis:
    """Step each entry; one that cannot be run is read statically, unless none can."""
    analyses, refusals = [], []
    for (contents, entry), options in several:
        try:
            analyses.append(
                _analyse_entry(
                    file, path, loader, progress, options=options, contents=contents, entry=entry
                )
            )
        except (InputError, UnsafeError) as refusal:
            refusals.append(refusal)
            analyses.append(analyse_unloaded(file, path, options, refusal))
    if len(refusals) == len(several):
        raise refusals[0]
    return joined(analyses)


def _analyse_entry(
    file: ModelFile,
    path: str,
    loader: _Loader,
    progress: Progress,
    options: Options,
    contents: SavedModelContents,
    entry: Entry | None,
) -> Analysis:
    if entry is None or not any(stored.name in entry.uses for stored in contents.variables):
        # There is nothing that a tape could watch.
        return report_entry(path, contents, entry, options)
    if not options.trust:
        refuse_chosen(file, path, entry)
    elsewhere = finder_elsewhere(contents, entry, options)
    try:
        with loader.model(contents, entry, options) as model:
            return analyse_model(model, path, file.format, options, progress, elsewhere=elsewhere)
    except NotLoadedError as error:
        return analyse_unloaded(file, path, options, error)
    except InputError as error:
        op_type = without_kernel(error)
        if op_type is not None:
            return analyse_unloaded(
                file, path, replace(options, entry=entry.label), other_device(op_type)
            )
        if not calls_lost_python(error):
            raise
        hint = "give the model in memory to gradflow.inspect(model)"
        lost = NotLoadedError("it calls a Python function, which no file holds", hint)
        return analyse_unloaded(
            file, path, replace(options, entry=options.entry or entry.label), lost
        )
