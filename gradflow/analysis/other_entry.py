"""Find the entry of a SavedModel that trains a weight which another entry does not reach."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from gradflow.diagnose import OtherUse
from gradflow.errors import GradflowError
from gradflow.files.saved_model.choose_entry import ranked_entries
from gradflow.files.saved_model.contents import Entry, SavedModelContents
from gradflow.flow.attribute import attribute
from gradflow.flow.lower.saved_model import lower_entry
from gradflow.options import Options

_MOST = 24
"""Entries that are read for it."""


def finder_elsewhere(
    contents: SavedModelContents, entry: Entry, options: Options
) -> Callable[[str], OtherUse | None]:
    """Return a function from the name of a weight to the entry, other than ``entry``, that uses
    it: one to whose outputs it leads a gradient, where there is one; None where none uses it, or
    where the user has chosen the outputs that count."""

    @functools.cache
    def others() -> Sequence[Entry]:
        if options.outputs:
            return ()
        ranked = ranked_entries(contents, training=options.training)
        return [other for other in ranked if other != entry]

    @functools.cache
    def uses_of(number: int) -> tuple[frozenset[str], frozenset[str]]:
        """Return the weights that an entry trains, and all that have an effect in it."""
        try:
            graph = lower_entry(contents, others()[number], ())
        except GradflowError:  # its functions are damaged, which is no matter of this entry
            return frozenset(), frozenset()
        attributions = attribute(graph.as_if_unknown_flowed())
        written = {assignment.variable for assignment in graph.assignments}
        return (
            frozenset(name for name, found in attributions.items() if found.cuts_to_restore == 0),
            frozenset(
                name
                for name, found in attributions.items()
                if found.cuts_to_restore is not None or found.node in written
            ),
        )

    def elsewhere(name: str) -> OtherUse | None:
        using = [number for number, other in enumerate(others()) if name in other.uses][:_MOST]
        for kind, is_trained in enumerate((True, False)):
            for number in using:
                if name in uses_of(number)[kind]:
                    return OtherUse(others()[number].label, is_trained=is_trained)
        return None

    return elsewhere
