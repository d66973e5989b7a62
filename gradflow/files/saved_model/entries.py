"""List the signatures and functions of a SavedModel's graph as entries, each variant under a label
of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradflow.files.dtypes import dtype_name
from gradflow.files.saved_model.arguments import Argument, Leaf, leaves, plain_arguments
from gradflow.files.saved_model.contents import Entry, SparseInput, TensorInfo
from gradflow.files.saved_model.freeze_flags import paths_below
from gradflow.files.saved_model.tf1_graph import depends_on
from gradflow.files.saved_model.variables import read_shape
from gradflow.lazy_dataclass import dataclass

_INIT_OP = "__saved_model_init_op"
_TRAINING = ("training", "is_training", "train")
"""What an argument is called that chooses between training and inference."""
_CALLED = frozenset({"__call__", "call"})
"""Functions that make an object one that is called: those of what it holds are parts of it."""
_GENERIC = re.compile(r"inputs(_\d+)?|args_\d+(_\d+)?")
"""Names of inputs that Keras 2 gives to a second trace of each function, beside the one with the
model's own names."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A function in the object graph: its name, and the concrete functions that it was traced
    to."""

    name: str
    function: Any
    """A ``SavedFunction``."""


@dataclass(frozen=True, slots=True)
class _Variant:
    """An entry, and the arguments by which another trace of the same function differs from it."""

    entry: Entry
    arguments: tuple[Argument, ...] = ()


def object_entries(graph: Any, names: Mapping[int, str]) -> tuple[Entry, ...]:
    """Return the signatures and functions of a TF2 graph; those of inner objects too where the
    model itself cannot be called.

    Args:
        graph: a ``MetaGraphDef`` with an object graph.
        names: of its variables, by object number.
    """
    objects = graph.object_graph_def
    library = {function.signature.name: function for function in graph.graph_def.library.function}
    variants = [_Variant(entry) for entry in _signatures(graph, library, names)]
    variants += _variants(_functions(objects), objects, library, names)
    return tuple(_labelled(variants))


def graph_entries(graph: Any) -> tuple[Entry, ...]:
    """Return the signatures of a TF1 graph."""
    nodes = {node.name for node in graph.graph_def.node}
    return tuple(
        _of_graph(graph, name)
        for name in sorted(graph.signature_def)
        if _is_whole(graph, name, nodes)
    )


def _is_whole(graph: Any, name: str, nodes: set[str]) -> bool:
    """Return whether it is something to call: not the initialization, and not a fetch of an op
    without a value."""
    tensors = graph.signature_def[name].outputs.values()
    return name != _INIT_OP and all(
        info.name.partition(":")[0] in nodes for info in tensors if info.name
    )


def _of_graph(graph: Any, name: str) -> Entry:
    signature = graph.signature_def[name]
    shapes = {
        node.name: read_shape(node.attr["shape"].shape)
        for node in graph.graph_def.node
        if node.op == "Placeholder" and "shape" in node.attr
    }
    inputs = [
        (_fed(info, shapes.get(tensor.partition(":")[0], info.shape)), tensor)
        for key, value in sorted(signature.inputs.items())
        for info, tensor in _parts(key, value)
    ]
    outputs = [
        pair for key, info in sorted(signature.outputs.items()) for pair in _parts(key, info)
    ]
    feeds, tensors = (tuple(tensor for _, tensor in pairs) for pairs in (inputs, outputs))
    return Entry(
        name=name,
        label=name,
        is_signature=True,
        function=None,
        inputs=tuple(info for info, _ in inputs),
        outputs=tuple(info for info, _ in outputs),
        output_index=tuple(range(len(outputs))),
        tensors=tensors,
        captured=(),
        feeds=feeds,
        sparse=tuple(
            _sparse(key, info)
            for key, info in sorted(signature.inputs.items())
            if info.HasField("coo_sparse")
        ),
        reached=depends_on(graph.graph_def, tensors, feeds),
    )


def _fed(info: TensorInfo, shape: tuple[int | None, ...] | None) -> TensorInfo:
    """Return an input with the ``shape`` of its placeholder where the signature calls it a scalar:
    so an older TensorFlow wrote a shape that nobody had given."""
    return replace(info, shape=shape) if info.shape == () else info


def _parts(key: str, info: Any) -> Iterator[tuple[TensorInfo, str]]:
    """Yield the tensors that stand for one input or output: three of a sparse one, the components
    of a ragged one."""
    if info.HasField("coo_sparse"):
        names, tensors = _sparse(key, info), info.coo_sparse
        rank = None if names.shape is None else len(names.shape)
        yield TensorInfo(names.indices, "int64", (None, rank)), tensors.indices_tensor_name
        yield TensorInfo(names.values, dtype_name(info.dtype), (None,)), tensors.values_tensor_name
        yield TensorInfo(names.dense_shape, "int64", (rank,)), tensors.dense_shape_tensor_name
    elif info.HasField("composite_tensor"):
        for number, part in enumerate(info.composite_tensor.components):
            yield _tensor(f"{key}/{number}", part), part.name
    else:
        yield _tensor(key, info), info.name


def _sparse(key: str, info: Any) -> SparseInput:
    return SparseInput(
        f"{key}/indices", f"{key}/values", f"{key}/dense_shape", read_shape(info.tensor_shape)
    )


def _signatures(
    graph: Any, library: Mapping[str, Any], names: Mapping[int, str]
) -> Iterator[Entry]:
    objects = graph.object_graph_def
    for child in objects.nodes[0].children:
        node = objects.nodes[child.node_id]
        if not node.HasField("user_object") or node.user_object.identifier != "signature_map":
            continue
        for child in sorted(node.children, key=lambda child: child.local_name):
            concrete = objects.nodes[child.node_id].bare_concrete_function.concrete_function_name
            if concrete in library and child.local_name in graph.signature_def:
                signature = graph.signature_def[child.local_name]
                yield _signature(
                    signature, child.local_name, concrete, _captured(objects, concrete, names)
                )


def _signature(signature: Any, name: str, concrete: str, captured: tuple[str | None, ...]) -> Entry:
    outputs = [
        pair for key, info in sorted(signature.outputs.items()) for pair in _parts(key, info)
    ]
    return Entry(
        name=name,
        label=name,
        is_signature=True,
        function=concrete,
        inputs=tuple(_tensor(key, info) for key, info in sorted(signature.inputs.items())),
        outputs=tuple(info for info, _ in outputs),
        output_index=tuple(
            _output_number(tensor, position) for position, (_, tensor) in enumerate(outputs)
        ),
        tensors=(),
        captured=captured,
    )


def _output_number(tensor: str, position: int) -> int:
    """A signature's tensors are the results of one call node, so ``call:2`` is the third result."""
    number = tensor.rpartition(":")[2]
    return int(number) if number.isdigit() else position


def _held_by(objects: Any, number: int, prefix: str) -> Iterator[_Named]:
    for child in sorted(objects.nodes[number].children, key=lambda child: child.local_name):
        node = objects.nodes[child.node_id]
        if node.HasField("function"):
            yield _Named(prefix + child.local_name, node.function)


def _functions(objects: Any) -> Iterator[_Named]:
    """Yield the functions of the model, and of the objects that it holds down to the first that
    can be called.

    A model that offers an inference loop only holds the one that was trained. What makes a table
    is left out, as is what Keras 2 keeps twice.
    """
    parts: set[int] = set()
    for number, path in paths_below(objects).items():
        children = objects.nodes[number].children
        called = {
            child.local_name
            for child in children
            if objects.nodes[child.node_id].HasField("function")
        }
        if number in parts or called & _CALLED:
            parts.update(child.node_id for child in children)
        if number in parts or "keras_api" in path or "_create_resource" in called:
            continue
        yield from _held_by(objects, number, "".join(f"{name}." for name in path))


def _variants(
    functions: Iterable[_Named], objects: Any, library: Mapping[str, Any], names: Mapping[int, str]
) -> Iterator[_Variant]:
    for named in functions:
        for number, concrete in enumerate(named.function.concrete_functions):
            if concrete in library:
                saved = objects.concrete_functions[concrete]
                arguments = plain_arguments(named.function, saved)
                entry = _function(library[concrete], saved, _captured(objects, concrete, names))
                modes = [
                    argument.value
                    for argument in arguments
                    if argument.name in _TRAINING and isinstance(argument.value, bool)
                ]
                entry = replace(
                    entry, name=named.name, variant=number, training=modes[0] if modes else None
                )
                yield _Variant(entry, arguments)


def _labelled(variants: Iterable[_Variant]) -> Iterator[Entry]:
    """Give each variant the shortest label that no other has; the model's own names outrank Keras'
    generic ones."""
    ordered = list(variants)
    short = {
        index: _call(variant.entry.name, _mode(variant)) for index, variant in enumerate(ordered)
    }
    order = sorted(short, key=lambda index: (_is_generic(ordered[index].entry), index))
    labels: dict[int, str] = {}
    for index in order:
        variant = ordered[index]
        names = [info.name for info in variant.entry.inputs]
        plain = [f"{argument.name}={argument.value}" for argument in variant.arguments]
        long = _call(variant.entry.name, [*names, *plain])
        used = set(labels.values())
        numbered = (f"{long}#{number}" for number in range(2, len(ordered) + 2))
        labels[index] = next(
            label for label in (short[index], long, *numbered) if label not in used
        )
    return (replace(variant.entry, label=labels[index]) for index, variant in enumerate(ordered))


def _mode(variant: _Variant) -> list[str]:
    return [
        f"{argument.name}={argument.value}"
        for argument in variant.arguments
        if argument.name in _TRAINING
    ]


def _call(name: str, arguments: Sequence[str]) -> str:
    return f"{name}({', '.join(arguments)})" if arguments else name


def _is_generic(entry: Entry) -> bool:
    return bool(entry.inputs) and all(_GENERIC.fullmatch(info.name) for info in entry.inputs)


def _captured(objects: Any, concrete: str, names: Mapping[int, str]) -> tuple[str | None, ...]:
    bound = objects.concrete_functions
    return (
        tuple(names.get(node) for node in bound[concrete].bound_inputs) if concrete in bound else ()
    )


def _function(function: Any, saved: Any, captured: tuple[str | None, ...]) -> Entry:
    arguments = function.signature.input_arg[: len(function.signature.input_arg) - len(captured)]
    results = function.signature.output_arg
    return Entry(
        name="",
        label="",
        is_signature=False,
        function=function.signature.name,
        inputs=tuple(
            TensorInfo(argument.name, dtype_name(argument.type), _argument_shape(function, number))
            for number, argument in enumerate(arguments)
        ),
        outputs=tuple(_results(results, list(leaves(saved.output_signature)))),
        output_index=tuple(range(len(results))),
        tensors=(),
        captured=captured,
    )


def _results(
    results: Sequence[Any], leaves_of_results: Sequence[Leaf | None]
) -> Iterator[TensorInfo]:
    """Yield the results by the keys of a dict that is returned, else by their numbers; shapes where
    they are recorded."""
    is_described = len(leaves_of_results) == len(results)
    for number, result in enumerate(results):
        leaf = leaves_of_results[number] if is_described else None
        is_keyed = leaf is not None and len(leaf.path) == 1 and not leaf.path[0].isdigit()
        name = leaf.path[0] if leaf is not None and is_keyed else f"output_{number}"
        yield TensorInfo(name, dtype_name(result.type), None if leaf is None else leaf.shape)


def _argument_shape(function: Any, number: int) -> tuple[int | None, ...] | None:
    if number not in function.arg_attr or "_output_shapes" not in function.arg_attr[number].attr:
        return None
    shapes = function.arg_attr[number].attr["_output_shapes"].list.shape
    return read_shape(shapes[0]) if shapes else None


def _tensor(name: str, info: Any) -> TensorInfo:
    return TensorInfo(name, dtype_name(info.dtype), read_shape(info.tensor_shape))
