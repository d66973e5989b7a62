"""Choose the entry of a SavedModel to differentiate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gradflow.errors import UnreadableError
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.saved_model.contents import Entry, SavedModelContents
from gradflow.findings import Role
from gradflow.ops.calls import named_functions
from gradflow.ops.families import BRANCHES
from gradflow.text import near

Choice = tuple[SavedModelContents, Entry]

_CALLED = ("__call__", "call")
_PREFERRED = ("serving_default", "serve", *_CALLED)
_WRAPPERS = (
    "_default_save_signature",
    "call_and_return_conditional_losses",
    "call_and_return_all_conditional_losses",
)
"""What Keras 2 keeps beside ``__call__``: some of them return the regularization losses too, which
are no outputs."""
_WRITES = ("Assign", "ResourceApply", "ResourceSparseApply", "ResourceScatter")


def choose_entry(
    graphs: Sequence[SavedModelContents], path: str, name: str | None, *, training: bool
) -> Choice | None:
    """Return the entry called ``name`` with the graph that it is in, or the one that training would
    call.

    That is one with inputs and a floating output that computes with most weights and writes to
    none, was traced for the mode that is asked for, and has the name that is most usual. None where
    the file holds nothing that can be called.

    Args:
        graphs: of the file, as ``read_saved_model`` returns them.
        path: of the file, for messages.
        name: a label, or the name of a function: of its variants the best is taken.
        training: whether an entry that was traced for training is wanted.

    Raises:
        UnreadableError: there is no such entry.
    """
    choices = [(graph, entry) for graph in graphs for entry in graph.entries]
    if name is not None:
        matching = [choice for choice in choices if choice[1].label == name] or [
            choice for choice in choices if choice[1].name == name
        ]
        if not matching:
            labels = ", ".join(entry.label for _, entry in choices)
            hint = (
                f"{near(name, [entry.label for _, entry in choices])}its entries are: {labels}"
                if labels
                else "it holds no function that can be called"
            )
            raise UnreadableError(f"{path}: has no entry {name!r}", hint)
        choices = matching
    ranked = sorted(choices, key=lambda choice: _rank(choice[0], choice[1], training))
    first = [choice for choice in ranked if _merit(*choice) == _merit(*ranked[0])]
    return next(
        (choice for choice in first if not _writes_weights(*choice)), ranked[0] if ranked else None
    )


def other_entries(
    graphs: Sequence[SavedModelContents], refused: Entry, *, training: bool
) -> Iterator[Choice]:
    """Yield the entries with other inputs that compute with as many weights as ``refused`` and set
    none, the best first."""
    choices = [(graph, entry) for graph in graphs for entry in graph.entries]
    ranked = sorted(choices, key=lambda choice: _rank(choice[0], choice[1], training))
    tried = {refused.inputs}
    for graph, entry in ranked:
        is_as_good = _merit(graph, entry) and entry.uses >= refused.uses
        if is_as_good and entry.inputs not in tried and not _writes_weights(graph, entry):
            tried.add(entry.inputs)
            yield graph, entry


def ranked_entries(contents: SavedModelContents, *, training: bool) -> list[Entry]:
    """Return the entries of one graph, the one that training would call first, those that set
    weights last."""
    ranked = sorted(contents.entries, key=lambda entry: _rank(contents, entry, training))
    return sorted(ranked, key=lambda entry: _writes_weights(contents, entry))


def entries_to_train(graphs: Sequence[SavedModelContents], *, training: bool) -> list[Choice]:
    """Return what can be differentiated of a file: of each function the variant that training
    would call, without those that set weights, and without what Keras 2 keeps beside a call."""
    choices: dict[tuple[tuple[str, ...], str], Choice] = {}
    for graph in graphs:
        called = {entry.name.rpartition(".")[2] for entry in graph.entries} - set(_WRAPPERS)
        for entry in ranked_entries(graph, training=training):
            is_beside = called and entry.name.rpartition(".")[2] in _WRAPPERS
            if _merit(graph, entry) and not is_beside and not _writes_weights(graph, entry):
                choices.setdefault((graph.tags, entry.name), (graph, entry))
    return list(choices.values())


def weights_used(contents: SavedModelContents, entry: Entry) -> int:
    """Return how many weights ``entry`` computes with."""
    uses = entry.uses  # put together anew each time
    return sum(
        variable.role is Role.WEIGHT and variable.name in uses for variable in contents.variables
    )


def _merit(contents: SavedModelContents, entry: Entry) -> bool:
    return weights_used(contents, entry) > 0 and any(
        info.dtype in FLOATING_NAMES for info in entry.outputs
    )


def _rank(contents: SavedModelContents, entry: Entry, training: bool) -> tuple[Any, ...]:
    mode = True if entry.training is None and "train" in contents.tags else entry.training
    depth, last = entry.name.count("."), entry.name.rpartition(".")[2]
    preferred = _PREFERRED.index(last) if last in _PREFERRED else len(_PREFERRED)
    return (
        not _merit(contents, entry),
        # A penalty on the weights, or the weights themselves: nothing is computed from data.
        not entry.inputs,
        last in _WRAPPERS,
        mode is not None and mode is not training,
        -weights_used(contents, entry),
        mode is None,
        preferred,
        depth,
        len(entry.label),
        entry.name,
        entry.variant,
    )


def _writes_weights(contents: SavedModelContents, entry: Entry) -> bool:
    """Return whether ``entry`` assigns to a weight: it sets, restores or trains the model.

    What is called to compute in training is none of these, whatever it assigns on the way.
    """
    is_call = entry.name.rpartition(".")[2] in _CALLED and entry.training is not None
    if entry.function is None or is_call:
        return False
    functions = {
        function.signature.name: function for function in contents.graph_def.library.function
    }
    weights = {variable.name for variable in contents.variables if variable.role is Role.WEIGHT}
    start = len(functions[entry.function].signature.input_arg) - len(entry.captured)
    handles = frozenset(
        start + position for position, name in enumerate(entry.captured) if name in weights
    )
    queue = [(entry.function, handles)]
    queued = set(queue)
    for name, arguments in queue:
        function = functions[name]
        handles_inside = {
            arg.name
            for position, arg in enumerate(function.signature.input_arg)
            if position in arguments
        }
        for node in function.node_def:
            positions = [
                position
                for position, source in enumerate(node.input)
                if source.partition(":")[0] in handles_inside
            ]
            if positions and positions[0] == 0 and node.op.startswith(_WRITES):
                return True
            skipped = 1 if node.op in BRANCHES else 0
            inner = frozenset(position - skipped for position in positions)
            calls = (
                {(called, inner) for called in named_functions(node) if called in functions}
                - queued
                if inner
                else set()
            )
            queue += sorted(calls, key=lambda call: call[0])
            queued |= calls
    return False
