"""Load a graph of TensorFlow 1 from a SavedModel, to be stepped in a session of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gradflow.files.saved_model.contents import Entry, SavedModelContents, variables_of
from gradflow.files.saved_model.viewer_ids import viewer_ids
from gradflow.options import Options
from gradflow.progress import Progress
from gradflow.tape.load.saved_model import entry_graph, epsilon_of
from gradflow.tape.loaded_model import Explanation, LoadedModel, Step, Watched
from gradflow.tape.tf1.explain import explain
from gradflow.tape.tf1.session import GraphSession, graph_session


class GraphModel(LoadedModel):
    """A signature of a graph of TensorFlow 1: ``tf.gradients`` differentiates it."""

    def __init__(self, live: GraphSession) -> None:
        """Describe the entry that ``live`` runs."""
        contents, entry = live.contents, live.entry
        self._live = live
        self.producer = contents.producer
        self.entry = entry.label
        self.epsilon = epsilon_of(contents)
        self.doubts = contents.doubts
        self.scopes_are_layers = contents.has_layers
        self.watched = tuple(
            Watched(stored, live.variable(stored.name) if stored.name in entry.uses else None)
            for stored in variables_of(contents, entry)
        )

    def step(self, options: Options) -> Step:
        """Run the session once; see ``LoadedModel``."""
        return self._live.step(options, self.watched)

    def viewer_ids(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        """Return what Model Explorer calls the nodes of the file."""
        return viewer_ids(self._live.contents.graph_def)

    def explain(self, step: Step, options: Options, progress: Progress) -> Explanation:
        """Run the session again, and look at the graph; see ``LoadedModel``."""
        progress("trace")
        graph = entry_graph(self._live.contents, self._live.entry, options.outputs)
        return explain(self, self._live, graph, step, options)


@contextmanager
def graph_model(
    folder: Path, contents: SavedModelContents, entry: Entry, selected: Sequence[str], seed: int = 0
) -> Iterator[GraphModel]:
    """Load ``folder`` for as long as the block runs, with the gradients of the outputs called
    ``selected`` (empty for all); ``seed`` is for its random ops.

    Raises:
        NotLoadedError: TensorFlow refuses to load it, or to differentiate it.
        UnreadableError: its variables are damaged.
        UsageError: a selected output does not exist.
    """
    with graph_session(folder, contents, entry, selected, seed) as live:
        yield GraphModel(live)
