"""saved_model.pb in, its entries, variables and graph out, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradflow.errors import UnreadableError
from gradflow.files.contents import StoredVariable
from gradflow.files.debug_info import frames_finder
from gradflow.files.doubts import FreezeDoubt
from gradflow.files.dtypes import dtype_name
from gradflow.files.frames import Frame
from gradflow.files.proto import message
from gradflow.files.saved_doubts import saved_doubts
from gradflow.files.saved_freezing import layer_properties
from gradflow.files.saved_variables import object_variables, read_shape, tf1_variables
from gradflow.findings import Role

_INIT_OP = "__saved_model_init_op"
_PREFERRED = ("serving_default", "serve", "__call__", "call")


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
    custom_gradients: Mapping[str, tuple[bool, ...]]
    """For each custom gradient that was saved, by its ``_gradient_op_type``: to which inputs it returns a gradient."""
    frames: Callable[[str, str], Sequence[Frame] | None]
    """From a function's and an op's name to the stack that created the op, as ``debug_info.frames_finder`` reads it."""
    doubts: tuple[FreezeDoubt, ...]


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
        properties = layer_properties(graph.object_graph_def, folder)
        found = object_variables(graph.object_graph_def, properties)
        entries = tuple(_entries(graph, {number: variable.name for number, variable in found.items()}))
        captured = {name for entry in entries for name in entry.captured if name}
        variables = tuple(variable for variable in found.values() if _is_listed(variable, captured))
        doubts = saved_doubts(graph.object_graph_def, found, properties)
        graph_variables: Mapping[str, str] = {}
    else:
        variables, graph_variables = tf1_variables(graph)
        doubts = ()
        entries = tuple(_signature(graph, name, None, ()) for name in sorted(graph.signature_def) if name != _INIT_OP)
    return SavedModelContents(
        producer=f"tensorflow {version}" if version else None,
        entries=entries,
        variables=variables,
        graph_def=graph.graph_def,
        op_defs=graph.meta_info_def.stripped_op_list.op,
        graph_variables=graph_variables,
        custom_gradients=dict(_custom_gradients(graph)),
        frames=frames_finder(folder),
        doubts=doubts,
    )


def variables_of(contents: SavedModelContents, entry: Entry) -> tuple[StoredVariable, ...]:
    """The variables of the model: of those that no layer tracks, the ones that ``entry`` uses."""
    return tuple(one for one in contents.variables if not one.untracked or one.name in entry.captured)


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


def _custom_gradients(graph: Any) -> Iterable[tuple[str, tuple[bool, ...]]]:
    """The saved gradient functions return only what is not None; their output signatures know the places."""
    functions = graph.object_graph_def.concrete_functions
    for registered in graph.graph_def.library.registered_gradients:
        if registered.gradient_func in functions:
            signature = functions[registered.gradient_func].output_signature
            values = signature.list_value.values or signature.tuple_value.values
            yield registered.registered_op_type, tuple(not value.HasField("none_value") for value in values)
        else:
            yield registered.registered_op_type, ()


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
    return read_shape(shapes[0]) if shapes else None


def _tensor(name: str, info: Any) -> TensorInfo:
    return TensorInfo(name, dtype_name(info.dtype), read_shape(info.tensor_shape))
