"""Build an op, run TensorFlow's gradient of it, and say what each of its floating inputs got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import tensorflow as tf

from gradflow.flow.op_rules import FLOATING
from gradflow.tables.op_recipes import Draw, Recipe, is_guess, recipes


class Brought(Enum):
    """What the gradient function brought to one input argument."""

    NOTHING = "nothing"
    ZEROS = "zeros"
    GRADIENT = "gradient"
    SOMETHING = "something"
    """A gradient that could be built and not run: no kernel here, or a variant, which has no
    numbers to look at."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The outcome for one op type."""

    inputs: dict[int, Brought]
    """Index of the input argument to what it got; empty where nothing could be built."""
    error: str
    """Why nothing could be built or run; empty where the gradient ran."""


def probe(op_def: Any) -> Probe:
    """Build ops of this type and take their gradients, with two sets of random values each."""
    version_2 = tf.compat.v1.control_flow_v2_enabled()
    # Else the gradient of a TensorArray op fails an assertion (2.16 to 2.21).
    tf.compat.v1.disable_control_flow_v2()
    try:
        return _probe(op_def)
    finally:
        if version_2:
            tf.compat.v1.enable_control_flow_v2()


def _probe(op_def: Any) -> Probe:
    inputs: dict[int, Brought] = {}
    error = "no recipe"
    for recipe in recipes(op_def):
        brought: dict[int, Brought] = {}
        try:
            for number in range(2):
                drawn, error = _attempt(op_def, recipe, Draw(number))
                brought = _join(brought, drawn)
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
            continue
        inputs = _join(inputs, brought)
        if is_guess(op_def):
            break
    return Probe(inputs, error)


_NUMBERLESS = (tf.variant, tf.resource)
_STRENGTH = (Brought.NOTHING, Brought.ZEROS, Brought.SOMETHING, Brought.GRADIENT)


def _join(left: dict[int, Brought], right: dict[int, Brought]) -> dict[int, Brought]:
    """Keep the most that an input ever got: only what never arrives is a rule."""
    return {
        index: max(
            left.get(index, Brought.NOTHING), right.get(index, Brought.NOTHING), key=_STRENGTH.index
        )
        for index in sorted({*left, *right})
    }


def _attempt(op_def: Any, recipe: Recipe, draw: Draw) -> tuple[dict[int, Brought], str]:
    graph = tf.Graph()
    # The gradients of the Nccl ops ask for a device.
    with graph.as_default(), graph.device("/cpu:0"):
        arguments = [
            [source(draw) for source in sources] if isinstance(sources, list) else [sources(draw)]
            for sources in recipe.inputs
        ]
        op = build(graph, op_def, arguments, recipe.attrs)
        indexes = [index for index, tensors in enumerate(arguments) for _ in tensors]
        xs = [
            (index, x)
            for index, x in zip(indexes, op.inputs, strict=True)
            if x.dtype.as_datatype_enum in FLOATING
        ]
        ys = [recipe.then(op.outputs)] if recipe.then else list(op.outputs)
        ys = [y for y in ys if y.dtype.as_datatype_enum in FLOATING]
        upstream = [_random_like(y, draw) for y in ys]
        gradients = (
            tf.gradients(ys, [x for _, x in xs], grad_ys=upstream) if ys else [None] * len(xs)
        )
        return _read(
            graph,
            op_def,
            [(index, gradient) for (index, _), gradient in zip(xs, gradients, strict=True)],
        )


def build(graph: Any, op_def: Any, arguments: list[list[Any]], attrs: Mapping[str, Any]) -> Any:
    """Add one node, attr defaults filled in; the wrappers in ``tf.raw_ops`` lack the hidden ops."""
    graph_def = tf.compat.v1.GraphDef()
    graph_def.versions.producer = graph.graph_def_versions.producer
    if op_def.HasField("deprecation"):
        # As the files are that still hold it.
        graph_def.versions.producer = op_def.deprecation.version - 1
    node = graph_def.node.add(name="probed", op=op_def.name)
    feeds = [tensor for tensors in arguments for tensor in tensors]
    node.input.extend(f"feed{index}" for index in range(len(feeds)))
    kinds = {attr.name: attr.type for attr in op_def.attr}
    for arg, tensors in zip(op_def.input_arg, arguments, strict=True):
        if arg.type_attr:
            _set(node.attr[arg.type_attr], "type", tensors[0].dtype.base_dtype)
        if arg.type_list_attr:
            _set(node.attr[arg.type_list_attr], "list(type)", [tensor.dtype for tensor in tensors])
        if arg.number_attr:
            _set(node.attr[arg.number_attr], "int", len(tensors))
    for name, value in attrs.items():
        _set(node.attr[name], kinds[name], value() if callable(value) else value)
    feed_map = {f"feed{index}": tensor for index, tensor in enumerate(feeds)}
    return tf.import_graph_def(graph_def, input_map=feed_map, return_elements=["probed"], name="")[
        0
    ]


def _set(attr: Any, kind: str, value: Any) -> None:
    """Write a Python value into an AttrValue of the given kind, as an OpDef spells it."""
    if kind.startswith("list("):
        for item in value:
            entry = tf.compat.v1.AttrValue()
            _set(entry, kind[5:-1], item)
            field = entry.WhichOneof("value")
            getattr(attr.list, field).append(getattr(entry, field))
        attr.list.SetInParent()
    elif kind == "shape":
        attr.shape.CopyFrom(tf.TensorShape(value).as_proto())
    elif kind == "type":
        attr.type = tf.dtypes.as_dtype(value).as_datatype_enum
    elif kind == "string":
        attr.s = value if isinstance(value, bytes) else value.encode()
    else:
        setattr(attr, {"int": "i", "float": "f", "bool": "b"}[kind], value)


def _random_like(y: Any, draw: Draw) -> Any:
    """Random values in the shape of ``y``: a gradient of ones hides what cancels, a real one what
    is imaginary."""
    size = 4096
    flat = tf.constant(draw.values((size,)) - 0.45, tf.float64)
    flat = (
        tf.cast(flat, y.dtype)
        if not y.dtype.is_complex
        else tf.cast(tf.complex(flat, flat[::-1]), y.dtype)
    )
    return tf.reshape(tf.slice(flat, [0], [tf.size(y)]), tf.shape(y))


def _read(
    graph: Any, op_def: Any, gradients: list[tuple[int, Any]]
) -> tuple[dict[int, Brought], str]:
    """Run what was built; the string says why that was not possible."""
    brought: dict[int, Brought] = {}
    numbers: list[tuple[int, Any]] = []
    for index, gradient in gradients:
        value = getattr(gradient, "values", gradient)  # of IndexedSlices
        brought = _join(brought, {index: Brought.NOTHING if value is None else Brought.SOMETHING})
        # NOTE: the flow of a TensorArray is a float that orders its ops; the number in it means
        # nothing.
        if (
            value is not None
            and value.dtype not in _NUMBERLESS
            and op_def.input_arg[index].name != "flow_in"
        ):
            numbers.append((index, value))
    try:
        with tf.compat.v1.Session(graph=graph) as session:
            session.run(graph.get_collection("init"))
            arrays = session.run([value for _, value in numbers])
    except (ValueError, tf.errors.OpError) as problem:
        return brought, f"{type(problem).__name__}: {problem}"
    measured: dict[int, Brought] = {}
    for (index, _), array in zip(numbers, arrays, strict=True):
        measured = _join(measured, {index: Brought.GRADIENT if np.any(array) else Brought.ZEROS})
    return {**brought, **measured}, ""
