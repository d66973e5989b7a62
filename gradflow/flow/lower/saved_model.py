"""Lower an entry of a SavedModel to its FlowGraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.saved_model.contents import Entry, SavedModelContents
from gradflow.flow.graph import FlowGraph, Origins
from gradflow.flow.lower.graph_def import lower_function, lower_graph
from gradflow.flow.lower.library import library_of
from gradflow.flow.op_rules import OpSpec
from gradflow.options import refuse_outputs


def lower_entry(
    contents: SavedModelContents,
    entry: Entry,
    selected: Sequence[str],
    registered: Mapping[str, OpSpec] = MappingProxyType({}),
) -> FlowGraph:
    """Lower ``entry``; ``selected`` names the outputs that count, empty for all; ``registered`` as
    in ``library_of``.

    Raises:
        UsageError: a selected output does not exist.
        UnreadableError: the graph is damaged.
    """
    return replace(
        _lowered(contents, entry, selected, registered), origins=Origins(contents.frames)
    )


def lost_gradients(contents: SavedModelContents) -> frozenset[str]:
    """Return the custom gradients that the file's functions name and that were not saved with
    them."""
    bodies = (
        contents.graph_def.node,
        *(function.node_def for function in contents.graph_def.library.function),
    )
    named = {
        node.attr["_gradient_op_type"].s.decode("utf-8", "replace")
        for body in bodies
        for node in body
        if node.op == "IdentityN" and "_gradient_op_type" in node.attr
    }
    return frozenset(named - set(contents.custom_gradients))


def _lowered(
    contents: SavedModelContents,
    entry: Entry,
    selected: Sequence[str],
    registered: Mapping[str, OpSpec],
) -> FlowGraph:
    names = [info.name for info in entry.outputs]
    refuse_outputs(selected, names)
    chosen = [index for index, name in enumerate(names) if not selected or name in selected]
    library = library_of(
        contents.graph_def,
        contents.op_defs,
        custom_gradients=contents.custom_gradients,
        registered=registered,
        disabled=contents.disabled,
        recomputed=contents.recomputed,
    )
    library = replace(library, by_entries=True)
    if entry.function is None:
        fed = {
            name: info.dtype in FLOATING_NAMES
            for name, info in zip(entry.feeds, entry.inputs, strict=True)
        }
        trained = {stored.name for stored in contents.variables if stored.trainable}
        return lower_graph(
            library,
            contents.graph_def,
            entry.tensors,
            contents.graph_variables,
            selected=chosen,
            fed=fed,
            trained=trained,
        )
    arguments = len(library.functions[entry.function].signature.input_arg)
    start = arguments - len(entry.captured)
    variables = {
        start + index: name for index, name in enumerate(entry.captured) if name is not None
    }
    return lower_function(
        library, entry.function, variables, [entry.output_index[index] for index in chosen]
    )
