"""Ask the graph of a loaded entry, or of a call that can be traced, about the inputs."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from gradflow.files.saved_model.contents import Entry, SavedModelContents, TensorInfo
from gradflow.flow.input_use.follow import function_uses, graph_uses
from gradflow.flow.input_use.uses import NOTHING_KNOWN, Table, Uses
from gradflow.flow.lower.graph_def import op_types
from gradflow.flow.lower.library import library_of
from gradflow.tape.custom_ops import registered_specs
from gradflow.tape.trace import Trace

_MOST = 64
"""Keys of a lookup table that are drawn from."""


def _no_words(table: Table) -> Sequence[Any]:
    return ()


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a model's inputs before it is run."""

    uses: Uses = NOTHING_KNOWN
    words: Callable[[Table], Sequence[Any]] = _no_words
    """Some keys of a lookup table; empty where they cannot be told."""


NO_KNOWLEDGE = Knowledge()


def saved_knowledge(contents: SavedModelContents, entry: Entry, concrete: Any) -> Knowledge:
    """Follow the inputs of an entry that is a function of the file; ``concrete`` is the same,
    loaded."""
    if entry.function is None:
        return NO_KNOWLEDGE
    library = library_of(
        contents.graph_def, contents.op_defs, None, registered_specs(op_types(contents.graph_def))
    )
    arguments = [arg.name for arg in library.functions[entry.function].signature.input_arg]
    first = len(arguments) - len(entry.captured)
    stored = {variable.name: variable.shape for variable in contents.variables}
    shapes = {
        first + number: stored[name] for number, name in enumerate(entry.captured) if name in stored
    }
    handles: dict[int | str, Any] = dict(enumerate(concrete.captured_inputs, start=first))
    uses = function_uses(
        library, entry.function, _by_argument(arguments[:first], entry.inputs), shapes
    )
    return Knowledge(uses, _keys_of(handles))


def session_knowledge(contents: SavedModelContents, entry: Entry, session: Any) -> Knowledge:
    """Follow the inputs of an entry that is a TF1 graph, loaded into ``session``."""
    library = library_of(contents.graph_def, contents.op_defs)
    named = {
        feed.partition(":")[0]: info.name
        for feed, info in zip(entry.feeds, entry.inputs, strict=True)
    }
    uses = graph_uses(library, contents.graph_def, named)

    def export(table: Table) -> Any:
        with session.graph.as_default():
            keys, _ = _exported(
                session.graph.get_operation_by_name(str(table.handle)).outputs[0], table
            )
        return session.run(keys)

    return Knowledge(uses, functools.partial(_words, export))


def traced_knowledge(traced: Trace, inputs: Sequence[TensorInfo]) -> Knowledge:
    """Follow the inputs of a call that was traced on tensors in the order of ``inputs``."""
    graph = traced.concrete.graph
    graph_def = graph.as_graph_def()
    library = library_of(graph_def, (), None, registered_specs(op_types(graph_def)))
    named = {tensor.op.name: info.name for tensor, info in zip(graph.inputs, inputs, strict=False)}
    variables = {id(variable.handle): variable for variable in graph.variables}
    captured = {placeholder.op.name: external for external, placeholder in graph.captures}
    shapes = {
        name: tuple(variables[id(external)].shape.as_list())
        for name, external in captured.items()
        if id(external) in variables
    }
    return Knowledge(graph_uses(library, graph_def, named, shapes), _keys_of(captured))


def _by_argument(arguments: Sequence[str], inputs: Sequence[TensorInfo]) -> dict[int, str]:
    """The wrapper of a signature has the signature's keys as arguments, in an order and a spelling
    of its own."""
    numbers = {_spelled(name): number for number, name in enumerate(arguments)}
    if len(numbers) == len(arguments) and all(_spelled(info.name) in numbers for info in inputs):
        return {numbers[_spelled(info.name)]: info.name for info in inputs}
    return {number: info.name for number, info in enumerate(inputs)}


def _spelled(name: str) -> str:
    return re.sub(r"\W", "_", name).lower()


def _keys_of(handles: Mapping[Any, Any]) -> Callable[[Table], Sequence[Any]]:
    def export(table: Table) -> Any:
        keys, _ = _exported(handles[table.handle], table)
        return keys.numpy()

    return functools.partial(_words, export)


def _exported(handle: Any, table: Table) -> Any:
    return tf.raw_ops.LookupTableExportV2(
        table_handle=handle, Tkeys=tf.as_dtype(table.keys), Tvalues=tf.as_dtype(table.values)
    )


def _words(export: Callable[[Table], Any], table: Table) -> Sequence[Any]:
    try:
        exported = export(table)
    except Exception:  # a table that is not initialized, or of a kind that cannot be exported
        return ()
    if exported.size != len(exported):  # each key is a vector
        return ()
    # A dense table gives its empty places too, each with the same key, which nobody may ask for.
    counts = Counter(exported.ravel().tolist())
    keys = (key for key, count in counts.items() if count == 1)
    return sorted(key for key in keys if key not in (b"", b"[UNK]"))[:_MOST]
