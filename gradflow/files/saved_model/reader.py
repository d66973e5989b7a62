"""Read the entries, the variables and the graph of ``saved_model.pb``, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradflow.errors import FETCH_AGAIN, SAVE_AGAIN, DamagedError, UnreadableError
from gradflow.files.freezing import FreezeDoubt
from gradflow.files.hdf5 import MAGIC
from gradflow.files.model_file import ModelFile, StoredVariable
from gradflow.files.other_formats import foreign
from gradflow.files.saved_model.contents import Entry, SavedModelContents
from gradflow.files.saved_model.debug_info import frames_finder
from gradflow.files.saved_model.entries import graph_entries, object_entries
from gradflow.files.saved_model.freeze_flags import is_of_keras, layer_properties
from gradflow.files.saved_model.freezing import saved_doubts
from gradflow.files.saved_model.gradient_functions import returned_gradients
from gradflow.files.saved_model.optimizer_slots import late_doubts
from gradflow.files.saved_model.recomputation import recomputes
from gradflow.files.saved_model.schema import DecodeError, parse
from gradflow.files.saved_model.tf1_graph import disabled_exits, graph_variables
from gradflow.files.saved_model.variables import object_variables
from gradflow.findings import Role
from gradflow.text import shown

_MAX_PROTOBUF = (1 << 31) - 1


def read_saved_model(file: ModelFile) -> tuple[SavedModelContents, ...]:
    """Read ``saved_model.pb``, once: one for each of its graphs, those tagged ``serve`` first.

    Raises:
        UnreadableError: the file is missing, damaged or holds no graph.
    """
    return file.once(_graphs)


def read_message(file: ModelFile) -> Any:
    """Return the SavedModel message of ``saved_model.pb``, which has a graph at least; parsed once.

    NOTE: it is shared. ``attr["x"]`` of a protobuf map adds ``x`` where it is not there: look with
    ``in`` first.

    Raises:
        UnreadableError: the file is missing, damaged or holds no graph.
    """
    return file.once(_message)


def _graphs(file: ModelFile) -> tuple[SavedModelContents, ...]:
    folder, saved = file.path, read_message(file)
    graphs = sorted(saved.meta_graphs, key=lambda graph: "serve" not in graph.meta_info_def.tags)
    try:
        all_contents = [_contents(graph, folder, is_only=len(graphs) == 1) for graph in graphs]
    except (
        IndexError,
        KeyError,
        ValueError,
    ) as error:  # an object or a function that is referred to is not there
        raise DamagedError(
            f"{shown(folder)}: saved_model.pb refers to something that it does not have",
            SAVE_AGAIN,
        ) from error
    return all_contents[0], *(_tagged(contents) for contents in all_contents[1:])


def _message(file: ModelFile) -> Any:
    folder, path = file.path, file.path / "saved_model.pb"
    try:
        saved = parse("SavedModel", _bytes(path))
    except OSError as error:
        raise UnreadableError(
            f"{shown(path)}: {error.strerror or error}", "check the path and its permissions"
        ) from error
    except DecodeError as error:
        description, hint = _instead(path)
        raise DamagedError(f"{shown(folder)}: saved_model.pb {description}", hint) from error
    if not saved.meta_graphs:
        raise DamagedError(f"{shown(folder)}: saved_model.pb holds no graph", FETCH_AGAIN)
    return saved


def _instead(path: Path) -> tuple[str, str]:
    """Return what a file is that is no SavedModel's graph, and what to do."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PK\x03\x04"):
        return (
            "is a zip archive, not a graph",
            f"if it is a Keras model, give it a name that ends in .keras; else {FETCH_AGAIN}",
        )
    if head.startswith(MAGIC):
        return (
            "is an HDF5 file, not a graph",
            f"if it is a Keras model, give it a name that ends in .h5; else {FETCH_AGAIN}",
        )
    if head.lstrip().startswith((b"saved_model_schema_version", b"meta_graphs")):
        return (
            "is a SavedModel in text form, which gradflow does not read",
            "save it again in binary form",
        )
    description, hint = foreign(path, head)
    # Its first bytes may be whole: then the damage is what there is to say.
    is_known = not description.startswith(
        ("is the graph", "is no SavedModel", "is a frozen graph", "is in a format")
    )
    return (
        (description, hint or FETCH_AGAIN)
        if is_known
        else ("is damaged, cut short or nested too deep", FETCH_AGAIN)
    )


def _bytes(path: Path) -> bytes:
    size = path.stat().st_size
    if size > _MAX_PROTOBUF:
        raise UnreadableError(
            f"{path}: has {size / 1e9:.1f} GB, and a protobuf can hold 2.1: TensorFlow cannot load "
            f"it either",
            "save it with its weights as variables, not as constants of the graph",
        )
    return path.read_bytes()


def _tagged(contents: SavedModelContents) -> SavedModelContents:
    """Entries of a file's other graphs are told by the tags of their graph: ``default@train``."""
    tags = ",".join(contents.tags)
    return replace(
        contents,
        entries=tuple(replace(entry, label=f"{entry.label}@{tags}") for entry in contents.entries),
    )


def _contents(graph: Any, folder: Path, *, is_only: bool) -> SavedModelContents:
    version = graph.meta_info_def.tensorflow_version
    graph_nodes: Mapping[str, str] = {}
    doubts: tuple[FreezeDoubt, ...] = ()
    has_layers = True
    entries: tuple[Entry, ...]
    variables: Iterable[StoredVariable]
    if len(graph.object_graph_def.nodes):
        properties = layer_properties(graph.object_graph_def, folder)
        by_number = object_variables(
            graph.object_graph_def, properties, graph.graph_def.library.function
        )
        entries = object_entries(
            graph, {number: variable.name for number, variable in by_number.items()}
        )
        has_layers = is_of_keras(graph.object_graph_def)
        doubts = (
            *saved_doubts(graph.object_graph_def, by_number, properties),
            *late_doubts(graph.object_graph_def, by_number),
        )
        variables = by_number.values()
    else:
        entries = graph_entries(graph)
        variables = graph_variables(graph)
        graph_nodes = {variable.name: variable.name for variable in variables}
    used = {name for entry in entries for name in entry.uses}
    custom_gradients = dict(returned_gradients(graph))
    return SavedModelContents(
        producer=f"tensorflow {version}" if version else None,
        entries=entries,
        # What is no weight and no entry uses belongs to an optimizer, a metric or a counter.
        variables=tuple(
            variable
            for variable in variables
            if variable.role is Role.WEIGHT or variable.name in used
        ),
        graph_def=graph.graph_def,
        op_defs=graph.meta_info_def.stripped_op_list.op,
        graph_variables=graph_nodes,
        custom_gradients=custom_gradients,
        recomputed=frozenset(_recomputed(graph.graph_def.library, custom_gradients)),
        frames=frames_finder(folder),
        doubts=doubts,
        disabled=disabled_exits(graph),
        tags=tuple(graph.meta_info_def.tags),
        has_layers=has_layers,
        is_only=is_only,
    )


def _recomputed(library: Any, returned: Mapping[str, tuple[bool | None, ...]]) -> Iterable[str]:
    """Yield the gradients of ``tf.recompute_grad`` among those that were saved."""
    functions = {function.signature.name: function for function in library.function}
    for registered in library.registered_gradients:
        function, kind = functions.get(registered.gradient_func), registered.registered_op_type
        if function is not None and recomputes(function, len(returned[kind])):
            yield kind
