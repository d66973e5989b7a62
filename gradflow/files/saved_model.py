"""saved_model.pb in, its entries, variables and graph out, without TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradflow.errors import UnreadableError
from gradflow.files.contents import StoredVariable
from gradflow.files.dtypes import FLOATING_NAMES, dtype_name
from gradflow.files.proto import message
from gradflow.findings import Role

_INIT_OP = "__saved_model_init_op"
_PREFERRED = ("serving_default", "serve", "__call__", "call")
_OPTIMIZER_IDENTIFIERS = ("optimizer",)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Name, data type and shape of an input or output; ``shape`` is None where the rank is unknown."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One function of the file that can be called."""

    name: str
    is_signature: bool
    function: str | None
    """Name in the function library; None for a TF1 graph, whose ``outputs`` are tensors of the graph itself."""
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    output_index: tuple[int, ...]
    """For each of ``outputs``, its place among the function's results."""
    tensors: tuple[str, ...]
    """TF1: for each of ``outputs``, the tensor's name in the graph."""
    captured: tuple[str | None, ...]
    """Names of the variables that the function's last arguments stand for; None for other captures."""


@dataclass(frozen=True, slots=True)
class SavedModelContents:
    """What a SavedModel holds."""

    producer: str | None
    entries: tuple[Entry, ...]
    variables: tuple[StoredVariable, ...]
    graph_def: Any
    op_defs: Sequence[Any]
    graph_variables: Mapping[str, str]
    """TF1: variable name by the node of the graph that holds it."""


def read_saved_model(folder: Path) -> SavedModelContents:
    """Read ``saved_model.pb`` in ``folder``; of several graphs the one tagged ``serve`` is taken.

    Raises:
        UnreadableError: the file is missing, damaged or holds no graph.
    """
    path = folder / "saved_model.pb"
    saved = message("SavedModel")()
    try:
        saved.ParseFromString(path.read_bytes())
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or error}", "check the path and its permissions") from error
    except Exception as error:  # protobuf's DecodeError, whose class differs between its implementations
        raise UnreadableError(
            f"{path}: not a readable SavedModel: the protobuf is damaged or cut short", "save or copy the model again"
        ) from error
    if not saved.meta_graphs:
        raise UnreadableError(f"{path}: holds no graph", "save or copy the model again")
    graph = next((graph for graph in saved.meta_graphs if "serve" in graph.meta_info_def.tags), saved.meta_graphs[0])
    version = graph.meta_info_def.tensorflow_version
    if len(graph.object_graph_def.nodes):
        names, variables = _object_variables(graph.object_graph_def)
        entries = tuple(_entries(graph, names))
        captured = {name for entry in entries for name in entry.captured if name}
        variables = tuple(variable for variable in variables if _is_listed(variable, captured))
        graph_variables: Mapping[str, str] = {}
    else:
        variables, graph_variables = _graph_variables(graph)
        entries = tuple(_signature(graph, name, None, ()) for name in sorted(graph.signature_def) if name != _INIT_OP)
    return SavedModelContents(
        producer=f"tensorflow {version}" if version else None,
        entries=entries,
        variables=variables,
        graph_def=graph.graph_def,
        op_defs=graph.meta_info_def.stripped_op_list.op,
        graph_variables=graph_variables,
    )


def choose_entry(contents: SavedModelContents, path: str, name: str | None) -> Entry:
    """Return the entry called ``name``, or the one that is most likely meant.

    Raises:
        UnreadableError: there is no such entry, or none at all.
    """
    entries = contents.entries
    if not entries:
        raise UnreadableError(
            f"{path}: holds no function that can be called", "save it with a signature or a tf.function"
        )
    wanted = (name,) if name else _PREFERRED
    for candidate in wanted:
        for entry in entries:
            if entry.name == candidate:
                return entry
    if name:
        known = ", ".join(dict.fromkeys(entry.name for entry in entries))
        raise UnreadableError(f"{path}: has no entry {name!r}", f"its entries are: {known}")
    return entries[0]


def _is_listed(variable: StoredVariable, captured: set[str]) -> bool:
    return variable.name in captured or variable.role is Role.WEIGHT


def _entries(graph: Any, names: Mapping[int, str]) -> Iterable[Entry]:
    objects = graph.object_graph_def
    bound = objects.concrete_functions
    signatures: dict[str, str] = {}
    functions: list[tuple[str, str]] = []
    for child in objects.nodes[0].children:
        node = objects.nodes[child.node_id]
        if node.HasField("user_object") and node.user_object.identifier == "signature_map":
            for entry in node.children:
                concrete = objects.nodes[entry.node_id].bare_concrete_function.concrete_function_name
                signatures[entry.local_name] = concrete
        elif node.HasField("function"):
            functions += [(child.local_name, concrete) for concrete in node.function.concrete_functions]
    library = {function.signature.name: function for function in graph.graph_def.library.function}
    for name, concrete in sorted(signatures.items(), key=_by_preference):
        if concrete in library and name in graph.signature_def:
            yield _signature(graph, name, concrete, _captured(bound, concrete, names))
    for name, concrete in sorted(functions, key=_by_preference):
        if concrete in library:
            yield _function(library[concrete], name, concrete, _captured(bound, concrete, names))


def _by_preference(item: tuple[str, str]) -> tuple[int, str]:
    name = item[0]
    return (_PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED), name)


def _captured(bound: Any, concrete: str, names: Mapping[int, str]) -> tuple[str | None, ...]:
    return tuple(names.get(node) for node in bound[concrete].bound_inputs) if concrete in bound else ()


def _signature(graph: Any, name: str, concrete: str | None, captured: tuple[str | None, ...]) -> Entry:
    signature = graph.signature_def[name]
    outputs = sorted(signature.outputs.items())
    return Entry(
        name=name,
        is_signature=True,
        function=concrete,
        inputs=tuple(_tensor(key, info) for key, info in sorted(signature.inputs.items())),
        outputs=tuple(_tensor(key, info) for key, info in outputs),
        output_index=tuple(_output_number(info.name, place) for place, (_, info) in enumerate(outputs)),
        tensors=tuple(info.name for _, info in outputs),
        captured=captured,
    )


def _output_number(tensor: str, place: int) -> int:
    """A signature's tensors are the results of one call node, so ``call:2`` is the third result."""
    number = tensor.rpartition(":")[2]
    return int(number) if number.isdigit() else place


def _function(function: Any, name: str, concrete: str, captured: tuple[str | None, ...]) -> Entry:
    arguments = function.signature.input_arg[: len(function.signature.input_arg) - len(captured)]
    results = function.signature.output_arg
    return Entry(
        name=name,
        is_signature=False,
        function=concrete,
        inputs=tuple(
            TensorInfo(argument.name, dtype_name(argument.type), _argument_shape(function, number))
            for number, argument in enumerate(arguments)
        ),
        outputs=tuple(TensorInfo(f"output_{n}", dtype_name(arg.type), None) for n, arg in enumerate(results)),
        output_index=tuple(range(len(results))),
        tensors=(),
        captured=captured,
    )


def _argument_shape(function: Any, number: int) -> tuple[int | None, ...] | None:
    if number not in function.arg_attr or "_output_shapes" not in function.arg_attr[number].attr:
        return None
    shapes = function.arg_attr[number].attr["_output_shapes"].list.shape
    return _shape(shapes[0]) if shapes else None


def _tensor(name: str, info: Any) -> TensorInfo:
    return TensorInfo(name, dtype_name(info.dtype), _shape(info.tensor_shape))


def _shape(shape: Any) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else int(dim.size) for dim in shape.dim)


def _object_variables(objects: Any) -> tuple[Mapping[int, str], tuple[StoredVariable, ...]]:
    """Variable names by object number, and the variables that are part of the model, each once."""
    paths = _object_paths(objects)
    tracked = _tracked_lists(objects)
    found: dict[int, StoredVariable] = {}
    captured = {node for function in objects.concrete_functions.values() for node in function.bound_inputs}
    for number, node in enumerate(objects.nodes):
        if node.HasField("variable") and (number in captured or _is_own(paths.get(number))):
            found[number] = _stored(node.variable, paths.get(number, ()), tracked.get(number))
    by_name: dict[str, list[int]] = {}
    for number, variable in found.items():
        by_name.setdefault(variable.name, []).append(number)
    for name, numbers in by_name.items():
        if len(numbers) == 1:
            continue
        for number in numbers:
            found[number] = replace(found[number], name=f"{name}@{'.'.join(paths.get(number, (str(number),)))}")
    return {number: variable.name for number, variable in found.items()}, tuple(found.values())


def _is_own(path: tuple[str, ...] | None) -> bool:
    """Whether it is no copy that Keras 3's ExportArchive keeps, and belongs to no optimizer."""
    return path is not None and "_all_variables" not in path


def _object_paths(objects: Any) -> dict[int, tuple[str, ...]]:
    """The shortest way to each object from the root, not through an optimizer; breadth first."""
    paths: dict[int, tuple[str, ...]] = {0: ()}
    queue = [0]
    for number in queue:
        for child in objects.nodes[number].children:
            target = child.node_id
            if target in paths or not 0 <= target < len(objects.nodes):
                continue
            node = objects.nodes[target]
            if node.HasField("user_object") and node.user_object.identifier in _OPTIMIZER_IDENTIFIERS:
                continue
            paths[target] = (*paths[number], child.local_name)
            queue.append(target)
    return paths


def _tracked_lists(objects: Any) -> dict[int, bool]:
    """What the root's own lists of trainable and non-trainable variables say, by object number."""
    tracked: dict[int, bool] = {}
    lists = {child.local_name: objects.nodes[child.node_id] for child in objects.nodes[0].children}
    if "trainable_variables" not in lists or "non_trainable_variables" not in lists:
        return tracked
    for name, trainable in (("non_trainable_variables", False), ("trainable_variables", True)):
        for child in lists[name].children:
            tracked[child.node_id] = trainable
    return tracked


def _stored(variable: Any, path: tuple[str, ...], tracked: bool | None) -> StoredVariable:
    name = variable.name.removesuffix(":0") or "/".join(path) or "variable"
    dtype = dtype_name(variable.dtype)
    role = Role.WEIGHT if variable.trainable and dtype in FLOATING_NAMES else Role.STATE
    return StoredVariable(
        name=name,
        layer=name.rpartition("/")[0] or None,
        shape=_shape(variable.shape) or (),
        dtype=dtype,
        role=role,
        trainable=role is Role.WEIGHT and tracked is not False,
        frozen_by=None,
    )


def _graph_variables(graph: Any) -> tuple[tuple[StoredVariable, ...], Mapping[str, str]]:
    """TF1: the variables are nodes of the graph; those to be trained are in a collection of that name."""
    trainable = _trainable_collection(graph)
    found: list[StoredVariable] = []
    nodes: dict[str, str] = {}
    for node in graph.graph_def.node:
        if node.op not in ("VariableV2", "Variable", "VarHandleOp"):
            continue
        dtype = dtype_name(node.attr["dtype"].type)
        is_weight = dtype in FLOATING_NAMES and (trainable is None or node.name in trainable)
        nodes[node.name] = node.name
        found.append(
            StoredVariable(
                name=node.name,
                layer=node.name.rpartition("/")[0] or None,
                shape=_shape(node.attr["shape"].shape) or (),
                dtype=dtype,
                role=Role.WEIGHT if is_weight else Role.STATE,
                trainable=is_weight,
                frozen_by=None,
            )
        )
    return tuple(found), nodes


def _trainable_collection(graph: Any) -> set[str] | None:
    if "trainable_variables" not in graph.collection_def:
        return None
    names = set()
    for raw in graph.collection_def["trainable_variables"].bytes_list.value:
        definition = message("VariableDef")()
        try:
            definition.ParseFromString(raw)
        except Exception:  # protobuf's DecodeError; without the collection every floating variable is a weight
            return None
        names.add(definition.variable_name.removesuffix(":0"))
    return names


def parameter_count(shape: tuple[int | None, ...]) -> int:
    """Number of entries of a variable; 0 where a dimension is unknown."""
    return math.prod(size or 0 for size in shape)
